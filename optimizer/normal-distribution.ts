/** Standard normal distribution function, to 1e-15 (continued fraction and series of erfc, Abramowitz and Stegun 7.1.5 and 7.1.14). */
export function normalCdf(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  const upper = 0.5 * complementOfErf(Math.abs(x) * Math.SQRT1_2);
  return x < 0 ? upper : 1 - upper;
}

/** Inverse of `normalCdf`, by bisection and Newton's method; −∞ at 0 and ∞ at 1. */
export function normalQuantile(share: number): number {
  if (!(share > 0)) return Number.NEGATIVE_INFINITY;
  if (!(share < 1)) return Number.POSITIVE_INFINITY;
  let [low, high] = [-40, 40];
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

export function normalDensity(x: number): number {
  return Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
}

function complementOfErf(x: number): number {
  if (x > 27) return 0;
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}
