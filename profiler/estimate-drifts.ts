import type { CorrectnessModel } from "../domain/correctness-model.ts";
import { chanceOfRight } from "../domain/correctness-model.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { type Example, estimatedAccuracy, fitCorrectness, recalibrated } from "./fit-correctness.ts";
import { combinationsOf, type ItemResult } from "./item-result.ts";

/** How far estimates of accuracy are from what it is under a drift: means of the absolute errors over all combinations of variants. */
export interface DriftErrors {
  /** Of the accuracy that was measured without drift. */
  readonly static: number;
  /** Of the estimate without labels, its model fitted without this drift. */
  readonly estimate: number;
  /** The estimate less the accuracy, the sign kept: above 0 it is too good. */
  readonly bias: number;
  /** Of the same corrected by `LABELS` labelled items; null where there are not enough items to draw them from. */
  readonly labelled: number | null;
}

/** The model of a combination, by stage and variant, for a gateway to estimate accuracy with. */
export interface Estimator {
  readonly variants: Readonly<Record<string, string>>;
  readonly model: CorrectnessModel;
}

/** Items that somebody labels once a drift is suspected. */
export const LABELS = 100;

/** Results of all sets of items by their name; `none` has not drifted. */
export type Sets = Readonly<Record<string, readonly ItemResult[]>>;

/**
 * How well accuracy is estimated under each drift. The model that estimates it has learnt from the items without drift and from all
 * *other* drifts, so that what is judged is what happens in a drift that nobody has seen.
 */
export function driftErrors(pipeline: Pipeline, sets: Sets): Readonly<Record<string, DriftErrors>> {
  const names = Object.keys(sets).filter(name => name !== "none");
  const errors = names.map(name => {
    const others = Object.fromEntries(Object.entries(sets).filter(([other]) => other !== name));
    const each = combinationsOf(pipeline).map((_, c) => errorsOf(others, sets[name] ?? [], c));
    const labelled = each.flatMap(error => error.labelled ?? []);
    return [
      name,
      {
        static: mean(each.map(error => error.static)),
        estimate: mean(each.map(error => Math.abs(error.bias))),
        bias: mean(each.map(error => error.bias)),
        labelled: labelled.length === each.length ? mean(labelled) : null,
      },
    ] as const;
  });
  return Object.fromEntries(errors);
}

/** The models for use: of all items, drifted or not. */
export function estimatorsOf(pipeline: Pipeline, sets: Sets): readonly Estimator[] {
  return combinationsOf(pipeline).map((combination, c) => ({
    variants: Object.fromEntries(pipeline.stages.map((stage, s) => [stage.name, combination[s] ?? ""])),
    model: modelOf(sets, c),
  }));
}

/** Fitted to the items of all sets, and right on average on those without drift: where there is none, none is seen. */
function modelOf(sets: Sets, combination: number): CorrectnessModel {
  const all = Object.values(sets).flatMap(results => examplesOf(results, combination));
  return recalibrated(fitCorrectness(all), examplesOf(sets["none"] ?? [], combination));
}

function errorsOf(
  known: Sets,
  drifted: readonly ItemResult[],
  combination: number,
): { readonly static: number; readonly bias: number; readonly labelled: number | null } {
  const examples = examplesOf(drifted, combination);
  const accuracy = shareRight(examples);
  const model = modelOf(known, combination);
  const estimate = estimatedAccuracy(
    model,
    examples.map(({ signals }) => signals),
  );
  const draws = Math.floor(examples.length / LABELS);
  // Every draw leaves out as many items as it takes at least, or it would be judged by what it was told.
  const labelled = Array.from({ length: draws < 2 ? 0 : draws }, (_, d) => {
    const drawn = examples.filter((_example, i) => i % draws === d).slice(0, LABELS);
    return Math.abs(labelCorrected(estimate, model, drawn) - accuracy);
  });
  return {
    static: Math.abs(shareRight(examplesOf(known["none"] ?? [], combination)) - accuracy),
    bias: estimate - accuracy,
    labelled: labelled.length === 0 ? null : mean(labelled),
  };
}

/**
 * The estimate without labels less its mean error on labelled items: prediction-powered inference (Angelopoulos et al., Science 2023).
 * Unbiased whatever the model is worth; the better it is, the fewer labels are needed.
 */
export function labelCorrected(estimate: number, model: CorrectnessModel, labelled: readonly Example[]): number {
  const errors = labelled.map(({ signals, right }) => (right ? 1 : 0) - chanceOfRight(model, signals));
  return Math.min(1, Math.max(0, estimate + mean(errors)));
}

function examplesOf(results: readonly ItemResult[], combination: number): Example[] {
  return results.flatMap(({ combinations }) => {
    const found = combinations[combination];
    return found ? [{ signals: found.signals, right: found.correct }] : [];
  });
}

function shareRight(examples: readonly Example[]): number {
  return mean(examples.map(({ right }) => (right ? 1 : 0)));
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
