import { logOdds } from "../domain/log-odds.ts";
import { betaQuantile } from "./beta-distribution.ts";
import { conditionalAccuracy } from "./error-correlation.ts";

/** What is known of a variant's accuracy as it is now. */
export interface Evidence {
  /** Measured offline. */
  readonly offline: number;
  /** Labelled feedback, older items counting less: how many there were, and how many of them were right. */
  readonly items: number;
  readonly right: number;
  /** Estimate without labels from recent outputs (`thresholdAccuracy`), from so many of them; null: there is none. */
  readonly unlabelled: { readonly accuracy: number; readonly outputs: number } | null;
  /** What the estimate without labels says on the data that `offline` was measured on: how far it can be trusted. */
  readonly unlabelledOffline: number;
  /** Share of outputs that break an assertion now, above what it was offline. */
  readonly moreAssertions: number;
}

export interface DriftAdjusted {
  readonly accuracy: number;
  /** Is below the accuracy with a chance of 0.9: what decisions should rest on. */
  readonly least: number;
}

/** How much each kind of evidence counts, in labelled items. */
export interface Trust {
  readonly offline: number;
  readonly unlabelledMost: number;
  readonly perOutput: number;
  /** An estimate without labels that was this far off offline is not believed at all. */
  readonly unlabelledError: number;
  /** Accuracy that is lost for each share of outputs that breaks assertions. */
  readonly perAssertion: number;
}

const TRUST: Trust = { offline: 50, unlabelledMost: 200, perOutput: 0.1, unlabelledError: 0.1, perAssertion: 1 };

/**
 * Accuracy of a variant under drift: what was measured offline, the estimate without labels and labelled feedback, each with its
 * weight, less what assertions say. Assumes that confidence still ranks errors; where the meaning of labels changes only feedback
 * shows it, which is why offline evidence never counts for nothing.
 */
export function driftAdjusted(evidence: Evidence, trust: Trust = TRUST): DriftAdjusted {
  const { offline, items, right, unlabelled, unlabelledOffline, moreAssertions } = evidence;
  const quality = Math.max(0, 1 - Math.abs(unlabelledOffline - offline) / trust.unlabelledError);
  const counted = unlabelled
    ? Math.min(trust.unlabelledMost, trust.perOutput * Math.max(0, unlabelled.outputs)) * quality
    : 0;
  const weight = trust.offline + counted + Math.max(0, items);
  const sum =
    trust.offline * offline + counted * (unlabelled?.accuracy ?? 0) + Math.min(Math.max(0, items), Math.max(0, right));
  const kept = Math.min(1, Math.max(0, 1 - trust.perAssertion * Math.max(0, moreAssertions)));
  const accuracy = Math.min(1, Math.max(0, (sum / weight) * kept));
  return { accuracy, least: betaQuantile(0.1, 1e-9 + accuracy * weight, 1e-9 + (1 - accuracy) * weight) };
}

/** Accuracies count as no nearer to 0 and 1 than this. */
const LEAST = 1e-6;

/**
 * Accuracy of a variant that is not served, moved by the drift of the one that is: σ(logit(offline) + τ·Δ). Without it a number that
 * is merely old would look better than one that is known to have fallen, and plans would flee to it.
 */
export function transferredAccuracy(offline: number, servedOffline: number, servedNow: number, share = 0.7): number {
  const drift = logOdds(servedNow, LEAST) - logOdds(servedOffline, LEAST);
  return 1 / (1 + Math.exp(-(logOdds(offline, LEAST) + share * drift)));
}

/**
 * How well a variant goes together with one before it, κ = P[right | the one before was right] / accuracy, from a labelled sample: of
 * `items` that the one before was right on, `right` were right here. 1: errors are independent; above 1: hard items are hard for both;
 * below 1: the one before makes inputs that this one was not measured on. 1 as well until there is a sample (`conditionalAccuracy`).
 */
export function agreement(right: number, items: number, accuracy: number, trust?: number): number {
  return accuracy > 0 ? conditionalAccuracy(right, items, accuracy, trust) / accuracy : 1;
}

/**
 * Share of items that all stages of a chain are right on now: Π â_s · Π_{s>1} κ_s, with â_s the accuracy of the stage's variant under drift
 * (`driftAdjusted`, or `transferredAccuracy` where it is not served) and κ_s its `agreement` with the variant before it. Times the chance to
 * be in time it is the effective accuracy.
 *
 * Assumes that whether a stage is right depends on the one before it alone, and that drift changes accuracies, but not how well two
 * variants go together. â_s · κ_s, a chance, counts as at most 1; a missing κ_s as 1. Errors that a later stage repairs are not in it:
 * `AccuracyModel` has those.
 *
 * Worked example: 0.8 and 0.9 with κ = 1.05 are 0.8 · 0.945 = 0.756, where the product says 0.72.
 */
export function driftedPipelineAccuracy(accuracies: readonly number[], agreements: readonly number[]): number {
  return accuracies.reduce((product, accuracy, s) => {
    const together = s === 0 ? 1 : (agreements[s - 1] ?? 1);
    return product * Math.min(1, Math.max(0, accuracy * together));
  }, 1);
}
