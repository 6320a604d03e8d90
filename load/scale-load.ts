import type { LoadTrace } from "./load-trace.ts";
import { binomialCount } from "./scatter.ts";
import { seededRandom } from "./seeded-random.ts";

/**
 * A load that is `factor` times as large. Below 1 each request stays with that chance, so that what was Poisson stays so; above 1 rates
 * are multiplied, and with them their bursts. What is not known stays unknown.
 */
export function scaleLoad({ startMs, ratesRps }: LoadTrace, factor: number, seed: number): LoadTrace {
  if (factor === 1) return { startMs, ratesRps };
  const random = seededRandom(seed);
  return {
    startMs,
    ratesRps: ratesRps.map(rate => {
      if (Number.isNaN(rate)) return rate;
      return factor < 1 ? binomialCount(Math.round(rate), factor, random) : rate * factor;
    }),
  };
}
