import type { CorrectnessModel } from "../domain/correctness-model.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { type Example, estimatedAccuracy, fitCorrectness, recalibrated } from "./fit-correctness.ts";
import { combinationsOf, type ItemResult } from "./item-result.ts";
import { type LabelErrors, labelCurve } from "./label-curve.ts";
import { thresholdEstimate } from "./threshold-estimate.ts";

/** How far estimates of accuracy are from what it is under a drift: means of the absolute errors over all combinations of variants. */
export interface DriftErrors extends EstimateErrors {
  /** Of the accuracy that was measured without drift. */
  readonly static: number;
  /** Of the estimate without labels, its model fitted without this drift. */
  readonly estimate: number;
  /** With `LABELS` labelled items; null where there are not enough items to draw them from. */
  readonly labelled: number | null;
  /** The same for fewer and for more, and by labels alone; only where there are enough items. */
  readonly labels: readonly LabelErrors[];
  /** Of ATC's estimate, which has not seen any drift; null: the pipeline's code names no confidences. */
  readonly threshold: (EstimateErrors & { readonly error: number }) | null;
}

/** What is not seen in a mean absolute error. */
interface EstimateErrors {
  /** The estimate less the accuracy, the sign kept: above 0 it is too good. */
  readonly bias: number;
  /** The combination whose accuracy it is furthest off. */
  readonly worst: { readonly variants: Readonly<Record<string, string>>; readonly error: number };
  /** Combinations that it is off by more than half of what the accuracy measured without drift is. */
  readonly failing: number;
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

/** What estimates are made and judged with beside the items. */
export interface Judging {
  /** Names of the signals that ATC takes for confidences; none: it is not judged. */
  readonly confidences: readonly string[];
  /** Uniform numbers in [0, 1), for draws of labelled items. */
  readonly random: () => number;
}

/**
 * How well accuracy is estimated under each drift. The model that estimates it has learnt from the items without drift and from all
 * *other* drifts, so that what is judged is what happens in a drift that nobody has seen.
 */
export function driftErrors(pipeline: Pipeline, sets: Sets, judging: Judging): Readonly<Record<string, DriftErrors>> {
  const names = Object.keys(sets).filter(name => name !== "none");
  return Object.fromEntries(names.map(name => [name, errorsUnder(pipeline, sets, name, judging)]));
}

function errorsUnder(pipeline: Pipeline, sets: Sets, name: string, { confidences, random }: Judging): DriftErrors {
  const others = Object.fromEntries(Object.entries(sets).filter(([other]) => other !== name));
  const drifted = sets[name] ?? [];
  const each = combinationsOf(pipeline).map((variants, c) => {
    const known = examplesOf(sets["none"] ?? [], c);
    const examples = examplesOf(drifted, c);
    const model = modelOf(others, c);
    const accuracy = shareRight(examples);
    const estimate = estimatedAccuracy(
      model,
      examples.map(({ signals }) => signals),
    );
    const threshold = confidences.length === 0 ? null : thresholdEstimate(confidences, known, examples);
    return {
      ...{ variants, examples, model, before: Math.abs(shareRight(known) - accuracy), estimate: estimate - accuracy },
      threshold: threshold === null ? null : threshold - accuracy,
    };
  });
  const before = each.map(one => one.before);
  const judged = (errors: readonly number[]) => judge(pipeline, errors, before);
  const estimates = each.map(one => one.estimate);
  const thresholds = each.flatMap(one => one.threshold ?? []);
  const labels = labelCurve(pipeline, drifted, each, random);
  return {
    ...{ static: mean(before), estimate: meanError(estimates), ...judged(estimates) },
    ...{ labelled: labels.find(one => one.labels === LABELS)?.corrected ?? null, labels },
    threshold: thresholds.length < each.length ? null : { error: meanError(thresholds), ...judged(thresholds) },
  };
}

/** @param errors estimates less accuracies, by combination; `before` those of the accuracies without drift, without their signs. */
function judge(pipeline: Pipeline, errors: readonly number[], before: readonly number[]): EstimateErrors {
  const sizes = errors.map(Math.abs);
  const worst = sizes.indexOf(Math.max(...sizes));
  return {
    bias: mean(errors),
    worst: { variants: byStage(pipeline, combinationsOf(pipeline)[worst] ?? []), error: sizes[worst] ?? Number.NaN },
    failing: sizes.filter((size, c) => size > (before[c] ?? 0) / 2).length,
  };
}

/** The models for use: of all items, drifted or not. */
export function estimatorsOf(pipeline: Pipeline, sets: Sets): readonly Estimator[] {
  return combinationsOf(pipeline).map((combination, c) => ({
    variants: byStage(pipeline, combination),
    model: modelOf(sets, c),
  }));
}

/** Fitted to the items of all sets, and right on average on those without drift: where there is none, none is seen. */
function modelOf(sets: Sets, combination: number): CorrectnessModel {
  const all = Object.values(sets).flatMap(results => examplesOf(results, combination));
  return recalibrated(fitCorrectness(all), examplesOf(sets["none"] ?? [], combination));
}

function byStage({ stages }: Pipeline, combination: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(stages.map((stage, s) => [stage.name, combination[s] ?? ""]));
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

function meanError(errors: readonly number[]): number {
  return mean(errors.map(Math.abs));
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
