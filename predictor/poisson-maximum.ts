import { QUANTILES } from "../domain/load.ts";
import { normalQuantile } from "./normal-quantile.ts";
import type { Quantiles } from "./quantiles.ts";

/** Up to this mean the distribution is summed; above it the expansion is closer than half a count. */
const LARGEST_SUMMED_MEAN = 60;

/**
 * Quantiles of the highest of `seconds` independent Poisson counts of the same mean, in rps. All of them stay at or below k with
 * probability F(k)^seconds, so the q-quantile is the smallest k with F(k) ≥ q^(1/seconds). Worked: mean 1, 20 seconds, q = 0.95
 * asks for F(k) ≥ 0.99744; F(4) = 0.99634 and F(5) = 0.99941, so 5.
 */
export function poissonMaximum(meanRps: number, seconds: number): Quantiles {
  return meanRps <= LARGEST_SUMMED_MEAN ? summed(meanRps, seconds) : expanded(meanRps, seconds);
}

/**
 * One quantile of it, with counts spread evenly over half a count to either side, so that it rises steadily with the mean: what can be
 * solved for the mean without taking the upper end of a step for its middle.
 */
export function smoothPoissonMaximum(meanRps: number, seconds: number, q: number): number {
  const threshold = q ** (1 / seconds);
  return meanRps <= LARGEST_SUMMED_MEAN ? smoothed(meanRps, threshold) : expandedAt(meanRps, threshold);
}

function smoothed(mean: number, threshold: number): number {
  const last = Math.ceil(mean + 20 * Math.sqrt(mean) + 20);
  let count = 0;
  let probability = Math.exp(-mean);
  let below = 0;
  while (below + probability < threshold && count < last) {
    below += probability;
    count += 1;
    probability *= mean / count;
  }
  return Math.max(0, count - 0.5 + Math.min(1, (threshold - below) / probability));
}

function summed(mean: number, seconds: number): Quantiles {
  // Rounding can keep the sum below a threshold that is next to 1.
  const last = Math.ceil(mean + 20 * Math.sqrt(mean) + 20);
  let count = 0;
  let probability = Math.exp(-mean);
  let cumulated = probability;
  return QUANTILES.map(q => {
    const threshold = q ** (1 / seconds);
    while (cumulated < threshold && count < last) {
      count += 1;
      probability *= mean / count;
      cumulated += probability;
    }
    return count;
  });
}

function expanded(mean: number, seconds: number): Quantiles {
  return QUANTILES.map(q => expandedAt(mean, q ** (1 / seconds)));
}

/** Cornish-Fisher: skewness 1/√mean, excess kurtosis 1/mean. */
function expandedAt(mean: number, threshold: number): number {
  const root = Math.sqrt(mean);
  const z = normalQuantile(threshold);
  return mean + root * z + (z * z - 1) / 6 + (z - z ** 3) / (72 * root);
}
