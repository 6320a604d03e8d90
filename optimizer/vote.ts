import { type Difficulty, difficultiesOf } from "./error-correlation.ts";

/**
 * Chance that more than half of `voters` equally accurate voters are right (Cocktail, NSDI 2022, has the independent case).
 *
 * With `correlation` ρ > 0, that of right and wrong of any two, their number is beta-binomial: how easy an item is varies, θ ~ Beta(a·M, (1 − a)·M), M = 1/ρ − 1. ρ = 1:
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
 * is right half the time. Errors have a common cause: one-factor Gaussian copula with `latent`, the correlation of how hard items are.
 * `latentCorrelation` gives it for a correlation of errors, which is the one of `majorityAccuracy`.
 */
export function voteAccuracy(accuracies: readonly number[], latent: number): number {
  return voteAccuracies(accuracies, [[...accuracies.keys()]], latent)[0] ?? 0;
}

/** Voters of one set that count; what is computed doubles with each. */
const MOST_COUNTED = 15;

/**
 * `voteAccuracy` of every set of voters, which are indices into `accuracies`; about 30 µs a set of five. Of a set of more than fifteen the
 * first fifteen count.
 */
export function voteAccuracies(
  accuracies: readonly number[],
  sets: readonly (readonly number[])[],
  latent: number,
): number[] {
  const difficulties = difficultiesOf(accuracies, latent);
  return sets.map(all => {
    const set = all.slice(0, MOST_COUNTED);
    if (set.length < 2) return accuracies[set[0] ?? -1] ?? 0;
    const weights = set.map(voter => Math.log(clamped(accuracies[voter] ?? 0) / (1 - clamped(accuracies[voter] ?? 0))));
    return Math.min(1, Math.max(0, chanceOf(difficulties, set, worthsOf(weights))));
  });
}

/** Mean worth over difficulties and over who is right. */
function chanceOf(difficulties: readonly Difficulty[], set: readonly number[], worths: readonly number[]): number {
  const chances = new Float64Array(worths.length);
  let sum = 0;
  for (const { weight, right } of difficulties) {
    chances[0] = weight;
    let size = 1;
    for (const voter of set) {
      const chance = right[voter] ?? 0;
      for (let i = 0; i < size; i++) {
        const before = chances[i] ?? 0;
        chances[i + size] = before * chance;
        chances[i] = before * (1 - chance);
      }
      size *= 2;
    }
    for (let i = 0; i < size; i++) sum += (chances[i] ?? 0) * (worths[i] ?? 0);
  }
  return sum;
}

/** By who is right (bit i: the i-th voter): 1 where the vote is right, 0.5 at a tie. */
function worthsOf(weights: readonly number[]): number[] {
  return Array.from({ length: 2 ** weights.length }, (_, bits) => {
    const lead = weights.reduce((sum, weight, i) => sum + ((bits >> i) & 1 ? weight : -weight), 0);
    return Math.abs(lead) < 1e-12 ? 0.5 : lead > 0 ? 1 : 0;
  });
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

/** ln Γ(x) for x > 0 (Lanczos, g = 7). */
function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const shifted = x - 1;
  const sum = LANCZOS.reduce((total, c, i) => total + (i === 0 ? c : c / (shifted + i)), 0);
  const t = shifted + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(t) - t + Math.log(sum);
}

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];
