import { isRate } from "../domain/load.ts";
import type { Calibration } from "./conformal.ts";
import { type HorizonState, MOST_PENDING, type PendingPrediction } from "./horizon-learner.ts";
import { SECONDS_KEPT } from "./load-history.ts";
import type { Quantiles } from "./quantiles.ts";
import type { SampleClock } from "./sample-clock.ts";
import { PEAK, RATE } from "./target.ts";
import { HORIZONS_SECONDS, type TargetState } from "./target-forecaster.ts";

/** Changes whenever an older snapshot would be misread. */
export const SNAPSHOT_VERSION = 5;

const MOST_EXPERTS = 100;

/** All that a LoadForecaster needs to go on beside its ten-second cells; plain JSON of some 70 KiB. */
export interface ForecasterSnapshot {
  readonly version: typeof SNAPSHOT_VERSION;
  readonly clock: SampleClock | null;
  /** The number of the newest second; 0 when there is none. */
  readonly second: number;
  /** One-second rates of the last ten minutes in rps, oldest first; null where a sample is missing. */
  readonly ratesRps: readonly (number | null)[];
  readonly peak: TargetState;
  readonly rate: TargetState;
}

/** The snapshot if it is whole and of this version; null otherwise, never a throw. */
export function parseSnapshot(value: unknown): ForecasterSnapshot | null {
  if (!isRecord(value) || value["version"] !== SNAPSHOT_VERSION) return null;
  const { clock, second, ratesRps, peak, rate } = value;
  if (!isSecond(second) || !Array.isArray(ratesRps) || ratesRps.length > SECONDS_KEPT) return null;
  if (!ratesRps.every(rate => rate === null || isRate(rate))) return null;
  if (clock !== null && !isClock(clock)) return null;
  if (clock === null ? second !== 0 || ratesRps.length > 0 : !isRate(ratesRps.at(-1))) return null;
  if (!isTargetState(peak, { second, levels: PEAK.levels.length })) return null;
  if (!isTargetState(rate, { second, levels: RATE.levels.length })) return null;
  return { version: SNAPSHOT_VERSION, clock, second, ratesRps, peak, rate };
}

/** A state must fit this. */
interface Expected {
  readonly second: number;
  readonly levels: number;
}

function isTargetState(value: unknown, expected: Expected): value is TargetState {
  if (!isRecord(value)) return false;
  const { experts, horizons } = value;
  if (!Array.isArray(experts) || experts.length > MOST_EXPERTS || experts.length === 0) return false;
  if (!experts.every(name => typeof name === "string") || new Set(experts).size < experts.length) return false;
  if (!Array.isArray(horizons) || horizons.length !== HORIZONS_SECONDS.length) return false;
  return horizons.every((horizon, i) => isHorizon(horizon, HORIZONS_SECONDS[i], expected, experts.length));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isFiniteNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isSecond(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isClock(value: unknown): value is SampleClock {
  if (!isRecord(value) || !isFiniteNumber(value["newestAtMs"]) || !isFiniteNumber(value["secondAtMs"])) return false;
  const early = value["early"];
  return early === null || (isRecord(early) && isFiniteNumber(early["atMs"]) && isCount(early["samples"]));
}

function isHorizon(
  value: unknown,
  horizonSeconds: number | undefined,
  { second, levels }: Expected,
  experts: number,
): value is HorizonState {
  if (!isRecord(value) || value["horizonSeconds"] !== horizonSeconds || !isCalibration(value["calibration"], levels))
    return false;
  const { lossSums, coverage, pending } = value;
  if (!isQuantiles(coverage, levels) || !coverage.every(share => share >= 0 && share <= 1)) return false;
  if (!Array.isArray(lossSums) || lossSums.length !== experts) return false;
  if (!lossSums.every(sums => isQuantiles(sums, levels) && sums.every(sum => sum >= 0))) return false;
  if (!Array.isArray(pending) || pending.length > MOST_PENDING) return false;
  if (!pending.every((prediction): prediction is PendingPrediction => isPending(prediction, experts, levels)))
    return false;
  return pending.every(
    (prediction, i) => prediction.second <= second && prediction.second > (pending[i - 1]?.second ?? -Infinity),
  );
}

function isCalibration(value: unknown, levels: number): value is Calibration {
  if (!isRecord(value) || !isQuantiles(value["offsets"], levels) || !isCount(value["outcomes"])) return false;
  return isQuantiles(value["missExcess"], levels) && value["missExcess"].every(excess => excess >= 0);
}

function isPending(value: unknown, count: number, levels: number): value is PendingPrediction {
  if (!isRecord(value) || !isSecond(value["second"]) || !isQuantiles(value["issued"], levels)) return false;
  const experts = value["experts"];
  return Array.isArray(experts) && experts.length === count && experts.every(one => isQuantiles(one, levels));
}

function isQuantiles(value: unknown, levels: number): value is Quantiles {
  return Array.isArray(value) && value.length === levels && value.every(isFiniteNumber);
}
