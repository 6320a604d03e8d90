import { QUANTILES, RATE_QUANTILES } from "../domain/load.ts";
import { anscombe } from "./anscombe.ts";
import type { Expert } from "./expert.ts";
import { normalQuantile } from "./normal-quantile.ts";
import { RATE_CHANCE } from "./target.ts";

const ONE_SIGMA = 0.8413447;

/**
 * What was reached in the last `windowSeconds` is reached again. In the Anscombe domain both maxima are those of n standard normals
 * about the same level: their medians Φ⁻¹(0.5^(1/n)) differ when the window and the horizon do, and their spreads add up.
 */
export function movingMaximumExpert(windowSeconds: number): Expert {
  return {
    name: `max${windowSeconds}`,
    predict: (history, horizonSeconds) => {
      const past = history.window(0, windowSeconds);
      const pastMedian = highestNormal(0.5, past.present);
      const pastSigma = highestNormal(ONE_SIGMA, past.present) - pastMedian;
      const median = highestNormal(0.5, horizonSeconds);
      const middle = anscombe(past.highestRps) + median - pastMedian;
      return QUANTILES.map(
        q => middle + Math.hypot(highestNormal(q, horizonSeconds) - median, normalQuantile(q) * pastSigma),
      );
    },
  };
}

/** The rate stays at the mean of the last `windowSeconds`, which is itself known only as well as so many seconds tell. */
export function movingMeanExpert(windowSeconds: number): Expert {
  return {
    name: `mean${windowSeconds}`,
    predict: history => {
      const { meanRps, present } = history.window(0, windowSeconds);
      const deviation = Math.hypot(RATE_CHANCE, 1 / Math.sqrt(present));
      return RATE_QUANTILES.map(q => anscombe(meanRps) + normalQuantile(q) * deviation);
    },
  };
}

/** The q-quantile of the highest of n standard normals. */
function highestNormal(q: number, n: number): number {
  return normalQuantile(q ** (1 / n));
}
