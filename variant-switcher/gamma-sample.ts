/** Below, the spread can't be seen, and the shape leaves the range in which numbers are exact. */
const SMALLEST_SCV = 1e-6;
/** Of the fourth power of a normal number: so far below the exact test that the rest needs no second look. */
const SQUEEZE = 0.0331;

/**
 * A gamma-distributed number with this mean and squared coefficient of variation, by Marsaglia and Tsang (ACM TOMS 26, 2000); shapes
 * below 1 by their section 6. `random` gives numbers in [0, 1). A coefficient near 0 gives the mean.
 */
export function gammaSample(mean: number, scv: number, random: () => number): number {
  if (scv < SMALLEST_SCV) return mean;
  const shape = 1 / scv;
  const boost = shape < 1 ? (1 - random()) ** (1 / shape) : 1;
  const d = (shape < 1 ? shape + 1 : shape) - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const root = 1 + c * x;
    if (root <= 0) continue;
    const v = root * root * root;
    const u = 1 - random();
    const xx = x * x;
    // Nearly always: it needs no logarithms, and what it lets through the exact test below would too.
    if (u < 1 - SQUEEZE * xx * xx || Math.log(u) < 0.5 * xx + d - d * v + d * Math.log(v))
      return mean * scv * d * v * boost;
  }
}

/** Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
