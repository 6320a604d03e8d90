import { anscombe } from "./anscombe.ts";
import { type Calibration, calibrate, UNCALIBRATED } from "./conformal.ts";
import { EXPERTS } from "./experts.ts";
import { addLosses, expertWeights, mix } from "./hedge.ts";
import type { LoadHistory } from "./load-history.ts";
import { pinballLoss, type Quantiles, quantiles } from "./quantiles.ts";

/** Predictions per horizon: overlapping windows tell little more. */
const PREDICTIONS_PER_HORIZON = 10;
/** With fewer of its seconds known the maximum of a window would be too low. */
const LEAST_PRESENT_SHARE = 0.8;

/** A prediction that waits for its horizon to pass, in the Anscombe domain. */
export interface PendingPrediction {
  readonly second: number;
  readonly experts: readonly Quantiles[];
  readonly issued: Quantiles;
}

/** What has been learnt about one horizon. */
export interface HorizonState {
  readonly horizonSeconds: number;
  readonly lossSums: readonly number[];
  readonly calibration: Calibration;
  /** Oldest first. */
  readonly pending: readonly PendingPrediction[];
}

export function newHorizonState(horizonSeconds: number): HorizonState {
  return { horizonSeconds, lossSums: EXPERTS.map(() => 0), calibration: UNCALIBRATED, pending: [] };
}

/** The most predictions that can wait at one time. */
export const MOST_PENDING = PREDICTIONS_PER_HORIZON + 1;

/** Scores the predictions whose horizon ended with the newest second, and makes the next one when it is due. */
export function learn(state: HorizonState, history: LoadHistory): HorizonState {
  const strideSeconds = Math.max(1, Math.floor(state.horizonSeconds / PREDICTIONS_PER_HORIZON));
  let { lossSums, calibration, pending } = state;
  for (
    let first = pending[0];
    first !== undefined && first.second + state.horizonSeconds <= history.second;
    first = pending[0]
  ) {
    pending = pending.slice(1);
    const age = history.second - first.second - state.horizonSeconds;
    const outcome = history.window(age, state.horizonSeconds);
    if (outcome.present < LEAST_PRESENT_SHARE * state.horizonSeconds) continue;
    const actual = anscombe(outcome.highestRps);
    const losses = first.experts.map(expert => pinballLoss(expert, actual));
    lossSums = addLosses(lossSums, losses, strideSeconds);
    calibration = calibrate(calibration, first.issued, actual);
  }
  const last = pending.at(-1);
  if (last === undefined || history.second - last.second >= strideSeconds) {
    const experts = EXPERTS.map(expert => expert.predict(history, state.horizonSeconds));
    const issued = combine(experts, lossSums, calibration);
    pending = [...pending, { second: history.second, experts, issued }];
  }
  return { horizonSeconds: state.horizonSeconds, lossSums, calibration, pending };
}

/** The calibrated mixture of the experts' predictions, in the Anscombe domain; its quantiles may still cross. */
export function combine(
  experts: readonly Quantiles[],
  lossSums: readonly number[],
  calibration: Calibration,
): Quantiles {
  const mixed = mix(experts, expertWeights(lossSums));
  return quantiles((_q, i) => mixed[i] + calibration.offsets[i]);
}
