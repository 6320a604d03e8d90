import { QUANTILES, RATE_QUANTILES } from "../domain/load.ts";
import { anscombe } from "./anscombe.ts";
import type { Expert } from "./expert.ts";
import type { LoadHistory } from "./load-history.ts";
import { normalQuantile } from "./normal-quantile.ts";
import { poissonMaximum } from "./poisson-maximum.ts";
import type { Quantiles } from "./quantiles.ts";
import { RATE_CHANCE, type Target } from "./target.ts";

const WEIGHT_PER_SECOND = 0.1;
/** What is older weighs less than 4e-6. */
const WINDOW_SECONDS = 120;

/** The load goes on at its exponentially weighted mean as a Poisson process. One for each target, which other experts ask, too. */
export function ewmaExpert(target: Target): Expert {
  return EXPERTS[target.name];
}

const EXPERTS = { peak: createExpert(predictPeak), rate: createExpert(predictRate) };

function createExpert(predict: (level: Level, horizonSeconds: number) => Quantiles): Expert {
  /** Experts that know too little of a load yet predict what this one does: at most four times the same. */
  let newest: {
    readonly history: LoadHistory | null;
    readonly second: number;
    readonly horizonSeconds: number;
    readonly prediction: Quantiles;
  } = { history: null, second: 0, horizonSeconds: 0, prediction: [] };
  return {
    name: "ewma",
    predict: (history, horizonSeconds) => {
      const isNewest = newest.history === history && newest.second === history.second;
      if (isNewest && newest.horizonSeconds === horizonSeconds) return newest.prediction;
      const prediction = predict(levelOf(history), horizonSeconds);
      newest = { history, second: history.second, horizonSeconds, prediction };
      return prediction;
    },
  };
}

// The mean itself is known only up to 1/√seconds, in a domain where one second's deviation is 1.

function predictPeak({ meanRps, rootSeconds }: Level, horizonSeconds: number): Quantiles {
  const peak = poissonMaximum(meanRps, horizonSeconds).map(anscombe);
  const middle = peak[0] as number;
  return QUANTILES.map((q, i) => middle + Math.hypot((peak[i] as number) - middle, normalQuantile(q) / rootSeconds));
}

function predictRate({ meanRps, rootSeconds }: Level): Quantiles {
  const deviation = Math.hypot(RATE_CHANCE, 1 / rootSeconds);
  return RATE_QUANTILES.map(q => anscombe(meanRps) + normalQuantile(q) * deviation);
}

/** To be filled anew each time. */
const rates = new Float64Array(WINDOW_SECONDS);

interface Level {
  readonly meanRps: number;
  /** The root of how many equally weighted seconds would tell as much. */
  readonly rootSeconds: number;
}

function levelOf(history: LoadHistory): Level {
  let weight = 1;
  let sum = 0;
  let weights = 0;
  let squares = 0;
  history.newestRates(rates);
  for (const rate of rates) {
    if (!Number.isNaN(rate)) {
      sum += weight * rate;
      weights += weight;
      squares += weight * weight;
    }
    weight *= 1 - WEIGHT_PER_SECOND;
  }
  return { meanRps: sum / weights, rootSeconds: weights / Math.sqrt(squares) };
}
