const TRANSFORMED_FROM_MEAN = 10;

/**
 * A Poisson count of this mean: by inversion at a small one, by transformed rejection at a large one (PTRS of Hörmann, Insurance:
 * Mathematics and Economics 12, 1993), whose time does not grow with the mean.
 */
export function poissonCount(random: () => number, mean: number): number {
  return mean < TRANSFORMED_FROM_MEAN ? inverted(random, mean) : transformed(random, mean);
}

function inverted(random: () => number, mean: number): number {
  let rest = random();
  let probability = Math.exp(-mean);
  let count = 0;
  // Rounding may leave a rest that no probability is as large as.
  while (rest > probability && count < 100) {
    rest -= probability;
    count += 1;
    probability *= mean / count;
  }
  return count;
}

function transformed(random: () => number, mean: number): number {
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const quick = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = random() - 0.5;
    const v = 1 - random();
    const us = 0.5 - Math.abs(u);
    const count = Math.floor(((2 * a) / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= quick) return count;
    if (count < 0 || (us < 0.013 && v > us)) continue;
    const left = Math.log((v * inverseAlpha) / (a / (us * us) + b));
    if (left <= count * Math.log(mean) - mean - logFactorial(count)) return count;
  }
}

/** Stirling's series from 10 on, where it is exact to 1e-9. */
function logFactorial(count: number): number {
  if (count < 10) {
    let product = 1;
    for (let k = 2; k <= count; k++) product *= k;
    return Math.log(product);
  }
  const x = count + 1;
  const series = (1 / 12 - (1 / 360 - 1 / (1260 * x * x)) / (x * x)) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}
