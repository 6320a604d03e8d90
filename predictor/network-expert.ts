import type { Expert } from "./expert.ts";
import { addRecent, addSeasonal, FEATURES, type FeatureSet, levelOf } from "./features.ts";
import type { LoadHistory } from "./load-history.ts";
import type { ForecastModel, HorizonModel } from "./network-model.ts";
import { predictQuantiles, standardise } from "./quantile-network.ts";
import { type Quantiles, quantiles, rising } from "./quantiles.ts";

export const NETWORK = "network";

/** To be filled anew each time. */
const standardised = {
  recent: new Float32Array(FEATURES.recent),
  seasonal: new Float32Array(FEATURES.seasonal),
};

/** The quantile network of a model; where it has no network for a horizon, that of the next larger one serves, or the largest. */
export function networkExpert(model: ForecastModel): Expert {
  const inputs = new Float32Array(FEATURES[model.features]);
  // Of all horizons at one second the recent past is the same.
  const seen: { history: LoadHistory | null; second: number; level: number } = { history: null, second: 0, level: 0 };
  const see = (history: LoadHistory): void => {
    if (seen.history === history && seen.second === history.second) return;
    [seen.history, seen.second, seen.level] = [history, history.second, levelOf(history)];
    addRecent(history, seen.level, inputs);
  };
  return {
    name: NETWORK,
    predict: (history, horizonSeconds) => {
      const served = model.horizons.find(one => one.horizonSeconds >= horizonSeconds) ?? model.horizons.at(-1);
      see(history);
      const { level } = seen;
      if (served === undefined) return [level, level, level, level];
      if (model.features === "seasonal") addSeasonal(history, served.horizonSeconds, level, inputs);
      const relative = predictRelative(served, model.features, inputs);
      return quantiles((_q, i) => level + relative[i]);
    },
  };
}

/**
 * The mean of an ensemble's quantiles relative to the level, rising.
 *
 * @param inputs as `features` gives them of this set.
 */
export function predictRelative(horizon: HorizonModel, set: FeatureSet, inputs: Float32Array): Quantiles {
  const { inputMeans, inputDeviations, outcomeMean, outcomeDeviation } = horizon;
  const scaled = standardised[set];
  for (let i = 0; i < scaled.length; i++)
    scaled[i] = standardise(inputs[i] as number, inputMeans[i] as number, inputDeviations[i] as number);
  const members = horizon.members.map(weights => predictQuantiles(weights, scaled));
  const mean = (i: 0 | 1 | 2 | 3): number => members.reduce((sum, member) => sum + member[i], 0) / members.length;
  return rising(quantiles((_q, i) => outcomeMean + outcomeDeviation * mean(i)));
}
