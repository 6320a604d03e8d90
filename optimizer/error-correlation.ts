import { normalCdf, normalDensity, normalQuantile } from "./normal-distribution.ts";

/**
 * Between which shares of items all stages are right, whatever the dependence of their errors (Fréchet): from
 * max(0, Σ a − (S − 1)) to min a. Holds only for accuracies of the same items and the same event: for how often each stage is right
 * in the running pipeline, not for its accuracy on inputs that others prepared.
 */
export function frechetBounds(accuracies: readonly number[]): readonly [least: number, most: number] {
  const wrong = accuracies.reduce((sum, accuracy) => sum + 1 - accuracy, 0);
  return [Math.max(0, 1 - wrong), Math.min(1, ...accuracies)];
}

/**
 * Share of items that two stages are both right on, when the correlation of right and wrong is `correlation`:
 * a·b + ρ·√(a(1−a)b(1−b)), inside Fréchet's bounds. Above the product where hard items fail in both; below it where an error of the
 * first makes the second fail.
 */
export function pairAccuracy(a: number, b: number, correlation: number): number {
  const [least, most] = frechetBounds([a, b]);
  return Math.min(most, Math.max(least, a * b + correlation * Math.sqrt(a * (1 - a) * b * (1 - b))));
}

/**
 * Share of items that all stages are right on when what makes items hard is common to them: one-factor Gaussian copula,
 * ∫ Π Φ((Φ⁻¹(a_s) − √ρ·z)/√(1 − ρ)) φ(z) dz. ρ = 0: the product; ρ = 1: the least accurate stage decides.
 */
export function commonCauseAccuracy(accuracies: readonly number[], correlation: number): number {
  return difficultiesOf(accuracies, correlation).reduce(
    (sum, { weight, right }) => sum + right.reduce((product, chance) => product * chance, weight),
    0,
  );
}

/**
 * Correlation of the latent difficulty (`commonCauseAccuracy`, `voteAccuracy`) at which right and wrong of two stages or voters of this
 * accuracy have the correlation `ofErrors`, which is what a labelled sample shows, and the intra-class correlation of `majorityAccuracy`.
 * The latent one is always the higher: at 0.8, errors that correlate by 0.5 take a difficulty that correlates by 0.75.
 */
export function latentCorrelation(ofErrors: number, accuracy: number): number {
  const rho = Math.min(1, Math.max(0, ofErrors || 0));
  const a = Math.min(1 - 1e-6, Math.max(1e-6, accuracy));
  if (rho === 0 || rho === 1) return rho;
  const wanted = a * a + rho * a * (1 - a);
  let [low, high] = [0, 1];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (commonCauseAccuracy([a, a], middle) < wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

const HALVINGS = 30;

/** Items that are about as hard: their share, and how likely each of several is right on them. */
export interface Difficulty {
  readonly weight: number;
  readonly right: readonly number[];
}

/** Items by their common difficulty; the weights sum to 1. */
export function difficultiesOf(accuracies: readonly number[], correlation: number): Difficulty[] {
  const rho = Math.min(1, Math.max(0, correlation || 0));
  if (rho === 0) return [{ weight: 1, right: accuracies }];
  const spread = Math.sqrt(1 - rho);
  if (spread < LEAST_SPREAD) return equalDifficulties(accuracies);
  // The chance falls from 1 to 0 within a few spreads of z.
  const points = Math.max(POINTS, 2 * Math.ceil(RANGE / spread));
  const levels = accuracies.map(normalQuantile);
  const all = Array.from({ length: points + 1 }, (_, i): Difficulty => {
    const z = -RANGE + (2 * RANGE * i) / points;
    const weight = normalDensity(z) * (i === 0 || i === points ? 1 : i % 2 === 1 ? 4 : 2);
    return { weight, right: levels.map(level => normalCdf((level - Math.sqrt(rho) * z) / spread)) };
  });
  const weights = all.reduce((sum, { weight }) => sum + weight, 0);
  return all.map(({ weight, right }) => ({ weight: weight / weights, right }));
}

/** As if ρ were 1: an item that one gets right, all that are more accurate get right. */
function equalDifficulties(accuracies: readonly number[]): Difficulty[] {
  const steps = [0, ...accuracies, 1].map(share => Math.min(1, Math.max(0, share))).sort((a, b) => a - b);
  return steps.flatMap((share, i) => {
    const weight = (steps[i + 1] ?? 1) - share;
    return weight > 0 ? [{ weight, right: accuracies.map(accuracy => (accuracy > share ? 1 : 0)) }] : [];
  });
}

/** √(1 − ρ) below which ρ counts as 1. */
const LEAST_SPREAD = 1e-3;
/** Simpson's rule between ±8 standard deviations, at least. */
const POINTS = 400;
const RANGE = 8;

/**
 * Accuracy of a stage on right inputs from a labelled sample: (k + ν·p) / (n + ν), with the product rule's p as the prior's mean and
 * ν items' worth of trust in it. κ = this over the stage's own accuracy is how well two variants go together.
 */
export function conditionalAccuracy(right: number, items: number, prior: number, trust = 30): number {
  return (right + trust * prior) / (items + trust);
}
