import { logGamma } from "./beta-distribution.ts";
import { overDifficulty } from "./error-correlation.ts";

/**
 * Chance that more than half of `voters` equally accurate voters are right (Cocktail, NSDI 2022, has the independent case).
 *
 * With `correlation` ρ > 0 their number is beta-binomial: how easy an item is varies, θ ~ Beta(a·M, (1 − a)·M), M = 1/ρ − 1. ρ = 1:
 * all are right together, and voting gains nothing. Assumes that wrong voters never outvote right ones by agreeing among
 * themselves on less than a half.
 *
 * Worked example: 10 independent voters of 0.7 have a majority that is right with 0.85; at ρ = 0.5 it is 0.70.
 */
export function majorityAccuracy(voters: number, accuracy: number, correlation: number): number {
  const a = Math.min(1, Math.max(0, accuracy));
  if (voters < 2 || correlation >= 1 || a < NEVER || a > 1 - NEVER) return a;
  let sum = 0;
  for (let right = Math.floor(voters / 2) + 1; right <= voters; right++)
    sum += Math.exp(logChoose(voters, right) + logChance(voters, right, a, correlation));
  return Math.min(1, sum);
}

/** Chances and correlations below this are taken for 0: their logarithms would say nothing. */
const NEVER = 1e-9;

/** Of `right` given voters being right and all others wrong. */
function logChance(voters: number, right: number, a: number, correlation: number): number {
  if (!(correlation > NEVER)) return right * Math.log(a) + (voters - right) * Math.log1p(-a);
  const m = 1 / correlation - 1;
  return logBeta(right + a * m, voters - right + (1 - a) * m) - logBeta(a * m, (1 - a) * m);
}

/**
 * Chance that the voters' vote is right, for voters of different accuracies whose votes weigh what they say, ln(a/(1 − a)); a tie
 * is right half the time. Errors have a common cause (one-factor Gaussian copula with `correlation`).
 */
export function voteAccuracy(accuracies: readonly number[], correlation: number): number {
  if (accuracies.length < 2) return accuracies[0] ?? 0;
  const weights = accuracies.map(a => Math.log(clamped(a) / (1 - clamped(a))));
  const outcomes = outcomesOf(weights);
  return overDifficulty(accuracies, correlation, right =>
    outcomes.reduce((sum, { rightVoters, worth }) => {
      let chance = worth;
      for (const [i, p] of right.entries()) chance *= rightVoters[i] ? p : 1 - p;
      return sum + chance;
    }, 0),
  );
}

interface Outcome {
  readonly rightVoters: readonly boolean[];
  /** 1: the vote is right, 0.5: a tie. */
  readonly worth: number;
}

function outcomesOf(weights: readonly number[]): Outcome[] {
  const outcomes: Outcome[] = [];
  for (let bits = 0; bits < 2 ** weights.length; bits++) {
    const rightVoters = weights.map((_, i) => ((bits >> i) & 1) === 1);
    const lead = weights.reduce((sum, weight, i) => sum + (rightVoters[i] ? weight : -weight), 0);
    const worth = Math.abs(lead) < 1e-12 ? 0.5 : lead > 0 ? 1 : 0;
    if (worth > 0) outcomes.push({ rightVoters, worth });
  }
  return outcomes;
}

function clamped(accuracy: number): number {
  return Math.min(1 - 1e-6, Math.max(1e-6, accuracy));
}

function logChoose(n: number, k: number): number {
  return logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}
