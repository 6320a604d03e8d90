/** Below, the spread can't be seen, and the shape leaves the range in which numbers are exact. */
const SMALLEST_SCV = 1e-6;

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
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return mean * scv * d * v * boost;
  }
}

/** Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
