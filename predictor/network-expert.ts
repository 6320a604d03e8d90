import type { Expert } from "./expert.ts";
import { FEATURES, features, levelOf } from "./features.ts";
import type { ForecastModel, HorizonModel } from "./network-model.ts";
import { QuantileNetwork, standardise } from "./quantile-network.ts";
import { type Quantiles, quantiles, rising } from "./quantiles.ts";

export const NETWORK = "network";

/** The quantile network of a model; where it has no network for a horizon, that of the next larger one serves, or the largest. */
export function networkExpert(model: ForecastModel): Expert {
  const inputs = new Float32Array(FEATURES[model.features]);
  const ensembles = model.horizons.map(horizon => ({
    horizonSeconds: horizon.horizonSeconds,
    predict: ensemble(horizon),
  }));
  return {
    name: NETWORK,
    predict: (history, horizonSeconds) => {
      const served = ensembles.find(one => one.horizonSeconds >= horizonSeconds) ?? ensembles.at(-1);
      const level = levelOf(history);
      features(history, model.features, served?.horizonSeconds ?? horizonSeconds, level, inputs);
      const relative = served?.predict(inputs) ?? [0, 0, 0, 0];
      return quantiles((_q, i) => level + relative[i]);
    },
  };
}

/** The mean of an ensemble's quantiles relative to the level, rising. Standardises `inputs` in place. */
export function ensemble(horizon: HorizonModel): (inputs: Float32Array) => Quantiles {
  const { inputMeans, inputDeviations, outcomeMean, outcomeDeviation } = horizon;
  const networks = horizon.members.map(weights => new QuantileNetwork(weights));
  return inputs => {
    for (let i = 0; i < inputs.length; i++)
      inputs[i] = standardise(inputs[i] as number, inputMeans[i] as number, inputDeviations[i] as number);
    const members = networks.map(network => network.predict(inputs));
    const mean = (i: 0 | 1 | 2 | 3): number => members.reduce((sum, member) => sum + member[i], 0) / members.length;
    return rising(quantiles((_q, i) => outcomeMean + outcomeDeviation * mean(i)));
  };
}
