import { smoothPoissonMaximum } from "./poisson-maximum.ts";
import { type Quantiles, quantiles } from "./quantiles.ts";

/** Halvings of the interval: the result is exact to a millionth of the peak. */
const STEPS = 24;

/**
 * The Poisson rates whose highest count of `seconds` seconds has the quantiles `peakRps`: what a queueing model must be given, which
 * adds the chance of single arrivals by itself. At low rates the difference is large. Worked: at a steady 2 rps the 0.95 quantile of
 * the highest of 20 seconds is 7; planned for as a rate it would be more than three times the load, and from it 1.99 is found.
 */
export function intensities(peakRps: Quantiles, seconds: number): Quantiles {
  let below = 0;
  return quantiles((q, i) => {
    const peak = peakRps[i];
    let low = 0;
    let high = peak;
    for (let step = 0; step < STEPS; step++) {
      const middle = (low + high) / 2;
      if (smoothPoissonMaximum(middle, seconds, q) <= peak) low = middle;
      else high = middle;
    }
    below = Math.max(below, low);
    return below;
  });
}
