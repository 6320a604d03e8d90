import { type AccuracyEstimate, addTimes, NO_ANSWERS } from "../domain/accuracy-estimate.ts";
import { logOdds } from "../domain/log-odds.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { changeOnce } from "./change-once.ts";
import { SETTINGS } from "./settings.ts";

/** A combination of variants, and the share of items that it is taken to be right on. */
export interface CombinationAccuracy {
  /** By stage. */
  readonly variants: Readonly<Record<string, string>>;
  readonly accuracy: number;
}

/** What is known of the accuracy of what is served. */
export interface EstimatedAccuracy {
  readonly accuracy: number;
  /** Before, by labels. */
  readonly measured: number;
  /** Answers behind it, older ones counting less. */
  readonly requests: number;
  readonly labels: number;
}

/**
 * Evidence `elapsedMs` later, and what has been answered in between. Half of it is forgotten in `evidenceHalfLifeMs`, and sooner where there
 * is more than tells anything new: at a high load a drift must not wait until it outweighs minutes of answers.
 */
export function withAnswers(
  before: readonly AccuracyEstimate[],
  answered: readonly AccuracyEstimate[],
  elapsedMs: number,
): readonly AccuracyEstimate[] {
  if (before.length === 0 && answered.length === 0) return before;
  const kept = 2 ** (-Math.max(0, elapsedMs) / SETTINGS.evidenceHalfLifeMs);
  const all = new Map<string, AccuracyEstimate>();
  const add = (estimate: AccuracyEstimate, times: number): void => {
    const key = JSON.stringify(estimate.variants);
    all.set(key, addTimes(all.get(key) ?? NO_ANSWERS, estimate, times));
  };
  for (const estimate of before) add(estimate, kept);
  for (const estimate of answered) add(estimate, 1);
  return [...all.values()].filter(({ requests }) => requests >= SETTINGS.evidenceLeast).map(bounded);
}

/**
 * What was known of each combination when most was, `elapsedMs` later: what was tried, or was left for another one, keeps its own estimate for
 * longer than evidence lasts, or plans would flee to it again and again.
 */
export function rememberedEvidence(
  before: readonly AccuracyEstimate[],
  evidence: readonly AccuracyEstimate[],
  elapsedMs: number,
): readonly AccuracyEstimate[] {
  const kept = 2 ** (-Math.max(0, elapsedMs) / SETTINGS.rememberedHalfLifeMs);
  const fresh = new Map(evidence.map(estimate => [JSON.stringify(estimate.variants), estimate]));
  const older = before.flatMap(estimate => {
    const now = fresh.get(JSON.stringify(estimate.variants));
    const then = addTimes(NO_ANSWERS, estimate, kept);
    if (then.requests < SETTINGS.evidenceLeast || (now && weightOf(now) >= weightOf(then))) return [];
    fresh.delete(JSON.stringify(estimate.variants));
    return [then];
  });
  return [...older, ...fresh.values()];
}

function bounded(estimate: AccuracyEstimate): AccuracyEstimate {
  const { variants, requests, right, labels, correction } = estimate;
  const answers = Math.min(1, SETTINGS.evidenceMostAnswers / requests);
  const labelled = labels > 0 ? Math.min(1, SETTINGS.evidenceMostLabels / labels) : 1;
  if (answers === 1 && labelled === 1) return estimate;
  return {
    variants,
    requests: answers * requests,
    right: answers * right,
    labels: labelled * labels,
    correction: labelled * correction,
  };
}

/**
 * The accuracy of every measured combination as it is now. A combination that is served has evidence of its own, which counts the more
 * the more there is of it; all others have moved, in log-odds, as far as what is served: what has not been looked at for long must not look
 * better than what has, or plans would flee to it (papers.md §7.4). Empty: nothing is known.
 */
export function driftedAccuracies(
  { stages, accuracy }: Pipeline,
  evidence: readonly AccuracyEstimate[],
): readonly CombinationAccuracy[] {
  return found(stages, accuracy, evidence).map(({ variants, measured, shift, seen }) => {
    const others = shifted(measured, shift);
    return { variants, accuracy: seen ? blended(others, seen) : others };
  });
}

/**
 * What each measured combination may be at best: a drift may be smaller there than in what is served, by `driftSpread`, and its own evidence may
 * be bad by chance. Empty: nothing is known.
 */
export function mostAccuracies(
  { stages, accuracy }: Pipeline,
  evidence: readonly AccuracyEstimate[],
): readonly CombinationAccuracy[] {
  const { upperDeviations, driftSpread, priorItems } = SETTINGS;
  return found(stages, accuracy, evidence).map(({ variants, measured, shift, seen }) => {
    const others = shifted(measured, shift + upperDeviations * driftSpread * Math.abs(shift));
    if (!seen) return { variants, accuracy: others };
    const [share, weight] = [shareRight(seen), weightOf(seen)];
    const chance = (upperDeviations * Math.sqrt(weight * share * (1 - share))) / (weight + priorItems);
    return { variants, accuracy: Math.min(1, blended(others, seen) + chance) };
  });
}

/** A measured combination, how far the evidence of the others moves it in log-odds, and its own. */
interface Found {
  readonly variants: Readonly<Record<string, string>>;
  readonly measured: number;
  readonly shift: number;
  readonly seen: AccuracyEstimate | undefined;
}

function found(
  stages: Pipeline["stages"],
  accuracy: Pipeline["accuracy"],
  evidence: readonly AccuracyEstimate[],
): readonly Found[] {
  if (accuracy.method !== "table" || evidence.length === 0) return [];
  const byVariants = new Map(evidence.map(estimate => [keyOf(stages, estimate.variants), estimate]));
  const all = accuracy.combinations.map(({ variants, accuracy: measured }) => ({
    variants,
    measured,
    seen: byVariants.get(keyOf(stages, variants)),
  }));
  const weights = sumOf(all, ({ seen }) => (seen ? weightOf(seen) : 0));
  if (weights === 0) return [];
  const drift = sumOf(all, ({ measured, seen }) => (seen ? driftOf(measured, seen) : 0));
  return all.map(({ variants, measured, seen }) => {
    if (!seen) return { variants, measured, seen, shift: drift / weights };
    // By what the others say, and then by its own evidence: that must not count twice.
    const others = weights - weightOf(seen);
    return { variants, measured, seen, shift: others > 1e-9 ? (drift - driftOf(measured, seen)) / others : 0 };
  });
}

/** How far its evidence moves a combination, in log-odds, times the weight of that. */
function driftOf(measured: number, seen: AccuracyEstimate): number {
  return weightOf(seen) * (logOdds(blended(measured, seen)) - logOdds(measured));
}

function shifted(share: number, odds: number): number {
  return 1 / (1 + Math.exp(-(logOdds(share) + odds)));
}

function sumOf<T>(values: readonly T[], numberOf: (value: T) => number): number {
  return values.reduce((sum, value) => sum + numberOf(value), 0);
}

/** What plans are made with: as before, until an accuracy has moved by `accuracyStep`. */
export function adoptedAccuracies(
  before: readonly CombinationAccuracy[],
  now: readonly CombinationAccuracy[],
): readonly CombinationAccuracy[] {
  const isClose =
    before.length === now.length &&
    now.every(({ variants, accuracy }, i) => {
      const other = before[i];
      return (
        other !== undefined &&
        isSame(other.variants, variants) &&
        Math.abs(other.accuracy - accuracy) < SETTINGS.accuracyStep
      );
    });
  return isClose ? before : now;
}

/** The pipeline with these accuracies in the place of those that were measured; the same object for the same ones. */
export function withAccuracies(pipeline: Pipeline, accuracies: readonly CombinationAccuracy[]): Pipeline {
  if (accuracies.length === 0) return pipeline;
  return changeOnce(pipeline, accuracies, () => ({ accuracy: { ...pipeline.accuracy, combinations: accuracies } }));
}

/** A combination that was left for another one, and is taken to be another share right than was measured. */
export interface LeftCombination extends CombinationAccuracy {
  readonly measured: number;
  /** Answers that it was seen by, older ones counting less. */
  readonly requests: number;
}

/** Those combinations that are remembered better than they are seen now. */
export function leftCombinations(
  { stages, accuracy }: Pipeline,
  evidence: readonly AccuracyEstimate[],
  remembered: readonly AccuracyEstimate[],
): readonly LeftCombination[] {
  if (remembered.length === 0) return [];
  const now = new Map(evidence.map(estimate => [keyOf(stages, estimate.variants), weightOf(estimate)]));
  const measured = new Map(accuracy.combinations.map(one => [keyOf(stages, one.variants), one.accuracy]));
  return remembered.flatMap(seen => {
    const key = keyOf(stages, seen.variants);
    const before = measured.get(key);
    if (before === undefined || (now.get(key) ?? 0) > weightOf(seen) / 2) return [];
    return [{ variants: seen.variants, accuracy: blended(before, seen), measured: before, requests: seen.requests }];
  });
}

/** Of all that is served, each combination by its requests; null: there is too little evidence to say. */
export function estimatedAccuracy(pipeline: Pipeline, evidence: readonly AccuracyEstimate[]): EstimatedAccuracy | null {
  if (evidence.length === 0) return null;
  const { stages } = pipeline;
  const byVariants = new Map(evidence.map(estimate => [keyOf(stages, estimate.variants), estimate]));
  let [requests, labels, now, before] = [0, 0, 0, 0];
  for (const { variants, accuracy } of pipeline.accuracy.combinations) {
    const seen = byVariants.get(keyOf(stages, variants));
    if (!seen) continue;
    requests += seen.requests;
    labels += seen.labels;
    now += seen.requests * blended(accuracy, seen);
    before += seen.requests * accuracy;
  }
  if (requests < SETTINGS.evidenceTold) return null;
  return { accuracy: now / requests, measured: before / requests, requests, labels };
}

/** What was known and the evidence, each by its weight in labelled items. */
function blended(prior: number, seen: AccuracyEstimate): number {
  const weight = weightOf(seen);
  return (SETTINGS.priorItems * prior + weight * shareRight(seen)) / (SETTINGS.priorItems + weight);
}

function weightOf({ requests, labels }: AccuracyEstimate): number {
  const most = SETTINGS.estimateMostItems;
  return Math.min(most, SETTINGS.estimateItems * requests) + Math.min(most, labels);
}

/** The estimate without labels, less its mean error on the labelled ones as far as those are enough to tell. */
function shareRight({ requests, right, labels, correction }: AccuracyEstimate): number {
  const error = labels > 0 ? correction / (labels + SETTINGS.labelsToTrust) : 0;
  return Math.min(1, Math.max(0, right / Math.max(requests, 1e-9) + error));
}

/** Names of variants hold no `/`. */
function keyOf(stages: Pipeline["stages"], variants: Readonly<Record<string, string>>): string {
  return stages.map(stage => variants[stage.name] ?? "").join("/");
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const stages = Object.keys(a);
  return stages.length === Object.keys(b).length && stages.every(stage => a[stage] === b[stage]);
}
