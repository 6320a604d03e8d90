import type { HorizonTraining } from "./training/train-model.ts";

/** A model of a pipeline's own must be this much better than what it is to replace: less may be chance. */
const LEAST_GAIN = 0.01;

/** `new`: the one just trained; `current`: the pipeline's own one before it; `bundled`: the one that comes with the package. */
export type ModelChoice = "new" | "current" | "bundled";

/**
 * Which model goes on, by the held-out rows of a training whose rivals were the bundled model and, where there was one, the current
 * one. The new one when it wins against the bundled one: the current one has seen most of these rows, so they can't tell which of
 * the two is better, and the new one knows a day more. Else the current one, if that wins, and if not, the bundled one.
 */
export function chooseModel(horizons: readonly HorizonTraining[]): ModelChoice {
  const least = 1 - LEAST_GAIN;
  const newRatio = meanRatio(horizons, ({ loss }) => loss);
  if (newRatio === null || newRatio < least) return "new";
  const currentRatio = meanRatio(horizons, ({ rivalLosses: [, current = Number.NaN] }) => current);
  return currentRatio !== null && currentRatio < least ? "current" : "bundled";
}

/** The geometric mean over the horizons of a model's loss over that of the bundled one; null: they can't be compared. */
function meanRatio(horizons: readonly HorizonTraining[], lossOf: (horizon: HorizonTraining) => number): number | null {
  const ratios = horizons.map(horizon => lossOf(horizon) / (horizon.rivalLosses[0] ?? Number.NaN));
  const logs = ratios.filter(ratio => ratio > 0).map(Math.log);
  return logs.length === 0 ? null : Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}
