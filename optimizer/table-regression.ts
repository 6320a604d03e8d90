/** One measured combination: the variant of every stage, and what is to be explained. */
export interface RegressionPoint {
  readonly names: readonly string[];
  /** Log-odds of what was measured less those of what the stages' accuracies make of it. */
  readonly difference: number;
  /** What of the latter's log-odds is no sum of one number for each variant. */
  readonly interaction: number;
}

/** What effects are taken to be before anything is measured: normally distributed. */
export interface EffectPriors {
  /** Standard deviation of a variant's effect around none. */
  readonly variant: number;
  /** Of γ. */
  readonly interaction: { readonly mean: number; readonly deviation: number };
}

const MOST_SWEEPS = 300;
/** Effects that move by less have been found. */
const LEAST_MOVE = 1e-9;

/**
 * Most probable effects in difference = mean + Σ effect of each variant + γ · interaction: ridge regression, one effect after the other until
 * nothing moves any more (Gauss–Seidel). γ is Tukey's one degree of freedom for non-additivity (Biometrics 1949). Of the mean nothing is
 * taken to be known.
 *
 * @param precision one over the variance of `difference` by chance.
 */
export function regressed(
  points: readonly RegressionPoint[],
  stages: number,
  priors: EffectPriors,
  precision: number,
): (point: Pick<RegressionPoint, "names" | "interaction">) => number {
  const effects = Array.from({ length: stages }, () => new Map<string, number>());
  let mean = 0;
  let gamma = priors.interaction.mean;
  const effectsOf = (names: readonly string[], but = -1): number =>
    effects.reduce((sum, own, s) => sum + (s === but ? 0 : (own.get(names[s] ?? "") ?? 0)), 0);
  let moved = Number.POSITIVE_INFINITY;
  const take = (before: number, after: number): number => {
    moved = Math.max(moved, Math.abs(after - before));
    return after;
  };
  for (let sweep = 0; sweep < MOST_SWEEPS && moved > LEAST_MOVE; sweep++) {
    moved = 0;
    const ofMean = new Estimate();
    for (const { names, difference, interaction } of points)
      ofMean.add(precision, difference - effectsOf(names) - gamma * interaction);
    mean = take(mean, ofMean.value);
    const ofGamma = new Estimate(priors.interaction.mean, priors.interaction.deviation);
    for (const { names, difference, interaction } of points)
      ofGamma.add(precision * interaction ** 2, difference - effectsOf(names) - mean, precision * interaction);
    gamma = take(gamma, ofGamma.value);
    for (const [s, own] of effects.entries()) {
      const ofVariant = new Map<string, Estimate>();
      for (const { names, difference, interaction } of points) {
        const name = names[s] ?? "";
        const estimate = ofVariant.get(name) ?? new Estimate(0, priors.variant);
        ofVariant.set(name, estimate);
        estimate.add(precision, difference - mean - gamma * interaction - effectsOf(names, s));
      }
      for (const [name, { value }] of ofVariant) own.set(name, take(own.get(name) ?? 0, value));
    }
  }
  return ({ names, interaction }) => mean + effectsOf(names) + gamma * interaction;
}

/** Of one number, by what was known of it and what was seen, each by its precision. */
class Estimate {
  #weight: number;
  #sum: number;

  constructor(mean = 0, deviation = Number.POSITIVE_INFINITY) {
    this.#weight = deviation ** -2;
    this.#sum = mean * this.#weight;
  }

  /** @param along what `seen` counts by; of a number that `seen` is a multiple of: `weight` over that multiple. */
  add(weight: number, seen: number, along = weight): void {
    this.#weight += weight;
    this.#sum += along * seen;
  }

  get value(): number {
    return this.#weight > 0 ? this.#sum / this.#weight : 0;
  }
}
