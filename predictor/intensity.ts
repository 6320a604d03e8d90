import { QUANTILES } from "../domain/load.ts";
import { smoothPoissonMaximum } from "./poisson-maximum.ts";
import type { Quantiles } from "./quantiles.ts";

/** Tries for the rate of one quantile; seven are usual. */
const STEPS = 24;
/** Of the peak. */
const TOLERANCE = 1e-6;

/**
 * The Poisson rates whose highest count of `seconds` seconds has the quantiles `peakRps`: what a queueing model must be given, which
 * adds the chance of single arrivals by itself. At low rates the difference is large. Worked: at a steady 2 rps the 0.95 quantile of
 * the highest of 20 seconds is 7; planned for as a rate it would be more than three times the load, and from it 1.99 is found.
 */
export function intensities(peakRps: Quantiles, seconds: number): Quantiles {
  let below = 0;
  return QUANTILES.map((q, i) => {
    const peak = peakRps[i] as number;
    const excess = (rate: number): number => smoothPoissonMaximum(rate, seconds, q) - peak;
    below = Math.max(below, zeroWithin(excess, below, peak, TOLERANCE * peak));
    return below;
  });
}

/**
 * Where `of`, which rises, is 0 between `from` and `to`: by secants, of which the side that stays counts half (Dowell and Jarratt,
 * BIT 11, 1971, "Illinois"). `from` where it is above 0 there already, `to` where it is still below.
 */
function zeroWithin(of: (x: number) => number, from: number, to: number, tolerance: number): number {
  let [low, high] = [from, to];
  let [atLow, atHigh] = [of(low), of(high)];
  if (atLow >= 0) return low;
  if (atHigh <= 0) return high;
  let stayed = 0;
  let x = low;
  for (let step = 0; step < STEPS && high - low > tolerance; step++) {
    x = (low * atHigh - high * atLow) / (atHigh - atLow);
    const at = of(x);
    if (Math.abs(at) <= tolerance) break;
    if (at < 0) {
      [low, atLow] = [x, at];
      if (stayed === 1) atHigh /= 2;
      stayed = 1;
    } else {
      [high, atHigh] = [x, at];
      if (stayed === -1) atLow /= 2;
      stayed = -1;
    }
  }
  return x;
}
