/** The 0.975 quantile of the normal distribution. */
const Z = 1.959964;

/**
 * 95 % confidence interval of a proportion (Wilson 1927): good also near 0 and 1, where the textbook interval is not.
 *
 * Worked example: 9 of 10 gives 0.596 to 0.982.
 */
export function wilsonInterval(successes: number, trials: number): readonly [number, number] {
  const share = successes / trials;
  const denominator = 1 + Z ** 2 / trials;
  const centre = (share + Z ** 2 / (2 * trials)) / denominator;
  const half = (Z / denominator) * Math.sqrt((share * (1 - share)) / trials + Z ** 2 / (4 * trials ** 2));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}
