import { normal, seededRandom } from "./seeded-random.ts";

/** Trials with a larger variance are drawn from the normal distribution. */
const NORMAL_FROM_VARIANCE = 50;

/**
 * Puts `count` arrivals into consecutive parts of an interval, each into one by chance: as the arrivals of a Poisson process lie when
 * no more is known than their number. The parts add up to `count` exactly (a fraction of one arrival is one by chance), and the same
 * seed gives the same parts.
 *
 * @param shares of each part in the interval; they add up to 1.
 */
export function scatter(count: number, shares: readonly number[], seed: number): readonly number[] {
  const random = seededRandom(seed);
  const whole = Math.floor(count);
  let left = whole + (random() < count - whole ? 1 : 0);
  let shareLeft = 1;
  return shares.map((share, i) => {
    const isLast = i === shares.length - 1;
    const here = isLast || share >= shareLeft ? left : binomialCount(left, share / shareLeft, random);
    left -= here;
    shareLeft -= share;
    return here;
  });
}

/** FNV-1a of the text and the number: one seed for one interval of one series. */
export function seedOf(text: string, number: number): number {
  let hash = 0x811c9dc5;
  const whole = `${text}\n${number}`;
  for (let i = 0; i < whole.length; i++) hash = Math.imul(hash ^ whole.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** How many of `trials` succeed with chance `p`. */
export function binomialCount(trials: number, p: number, random: () => number): number {
  if (trials === 0 || p <= 0) return 0;
  if (p > 0.5) return trials - binomialCount(trials, 1 - p, random);
  const variance = trials * p * (1 - p);
  if (variance > NORMAL_FROM_VARIANCE) {
    return Math.min(Math.max(Math.round(trials * p + Math.sqrt(variance) * normal(random)), 0), trials);
  }
  // Inversion: the chance of 0 is at least e^-100 here, which a double holds.
  let chance = (1 - p) ** trials;
  let rest = random();
  let successes = 0;
  while (rest > chance && successes < trials) {
    rest -= chance;
    chance *= ((trials - successes) / (successes + 1)) * (p / (1 - p));
    successes += 1;
  }
  return successes;
}
