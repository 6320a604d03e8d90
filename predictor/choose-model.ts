import type { HorizonTraining } from "./train-model.ts";

/** A model of a pipeline's own must be this much better than what it is to replace: less may be chance. */
const LEAST_GAIN = 0.01;

/** `new`: the one just trained; `current`: the pipeline's own one before it; `bundled`: the one that comes with the package. */
export type ModelChoice = "new" | "current" | "bundled";

/**
 * Which model goes on, by the held-out rows of a training whose rivals were the bundled model and, where there was one, the current
 * one: the new one when it wins against both, else the better of the other two.
 */
export function chooseModel(horizons: readonly HorizonTraining[]): ModelChoice {
  const againstBundled = meanRatio(horizons, 0);
  const againstCurrent = horizons.every(({ rivalLosses }) => rivalLosses.length > 1) ? meanRatio(horizons, 1) : null;
  const least = 1 - LEAST_GAIN;
  if (againstBundled < least && (againstCurrent === null || againstCurrent < least)) return "new";
  return againstCurrent !== null && againstCurrent >= againstBundled ? "current" : "bundled";
}

/** The geometric mean over the horizons of the new model's loss over that of the rival; a rival that can't be compared has lost. */
function meanRatio(horizons: readonly HorizonTraining[], rival: number): number {
  const ratios = horizons.map(({ loss, rivalLosses }) => loss / (rivalLosses[rival] ?? Number.NaN));
  const logs = ratios.filter(ratio => ratio > 0).map(Math.log);
  return logs.length === 0 ? 0 : Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}
