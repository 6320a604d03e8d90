/**
 * The Anscombe transform s(x) = 2√(x + 3/8): in this domain a Poisson count has a standard deviation of about 1 whatever its rate
 * (Anscombe, Biometrika 35, 1948), so errors of small and large loads compare.
 */
export function anscombe(rateRps: number): number {
  return 2 * Math.sqrt(Math.max(rateRps, 0) + 0.375);
}

/** Back to rps; what lies below s(0) is 0. */
export function inverseAnscombe(s: number): number {
  const half = Math.max(s, 0) / 2;
  return Math.max(half * half - 0.375, 0);
}
