import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import { type Forecast, isRate, type LoadSample } from "../domain/load.ts";
import type { Attained } from "../domain/load-report.ts";
import { findStage, findVariant, type Pipeline, type Stage } from "../domain/pipeline.ts";
import type { HpaScaling } from "../optimizer/reachable-count.ts";
import { podKey } from "./control-state.ts";
import type { ServiceTimes, SwitcherView } from "./switcher-view.ts";
import type { TickInput } from "./tick-input.ts";
import type { Tuning } from "./tuning.ts";

/** An HPA with more would hardly ever move. */
const MOST_TOLERANCE = 1;

/** Largest batch that a profile may have. */
const MOST_ROWS = 1024;

/**
 * The input without what can't be true: a forecast or a sample that is not a rate is no data, a switcher of no stage is left out, and counts that
 * are no counts are 0. Nothing after this has to expect NaN.
 */
export function usableInput(input: TickInput): TickInput {
  const { pipeline, forecast, load, lastMinute } = input;
  const switchers = new Map<string, SwitcherView>();
  for (const view of input.switchers) {
    const stage = findStage(pipeline, view.stage);
    if (stage) switchers.set(podKey(view.stage, view.pod), usableView(view, stage));
  }
  return {
    ...input,
    tuning: usableTuning(input.tuning),
    forecast: forecast && isForecast(forecast) ? forecast : null,
    load: load && isSample(load) ? load : null,
    lastMinute: lastMinute && isAttained(lastMinute) && isAttained(lastMinute.recent ?? NONE_ENDED) ? lastMinute : null,
    switchers: [...switchers.values()],
    answered: input.answered.filter(estimate => isPossible(estimate) && isOf(pipeline, estimate.variants)),
    readyReplicas: Object.fromEntries(Object.entries(input.readyReplicas).map(([stage, n]) => [stage, count(n)])),
    ...(input.liveReplicas && {
      liveReplicas: Object.fromEntries(Object.entries(input.liveReplicas).map(([stage, n]) => [stage, count(n)])),
    }),
    bounds: Object.fromEntries(
      Object.entries(input.bounds)
        .filter(([, { min, max }]) => !Number.isNaN(min) && !Number.isNaN(max))
        .map(([stage, { min, max }]) => [stage, { min: count(min), max: Math.max(count(min), count(max)) }]),
    ),
    scaling: Object.fromEntries(
      Object.entries(input.scaling).map(([stage, scaling]) => [stage, usableScaling(scaling)]),
    ),
  };
}

function usableScaling({ current, toleranceUp, toleranceDown, max }: HpaScaling): HpaScaling {
  const tolerance = (share: number) => (share > 0 ? Math.min(share, MOST_TOLERANCE) : 0);
  return {
    current: count(current),
    toleranceUp: tolerance(toleranceUp),
    toleranceDown: tolerance(toleranceDown),
    max: count(max),
  };
}

function usableTuning(tuning: Tuning): Tuning {
  const { weights } = tuning;
  const isSize = (size: number) => Number.isFinite(size) && size >= 0;
  return {
    ...tuning,
    weights: weights && Object.values(weights).every(isSize) ? weights : null,
  };
}

function isForecast(forecast: Forecast): boolean {
  const { peakRps, intensityRps, rateRps, reactiveRps, riseRps = 0 } = forecast;
  return [...peakRps, ...intensityRps, ...rateRps, reactiveRps, riseRps].every(isRate);
}

const NONE_ENDED: Attained = { ended: 0, inTime: 0 };

function isAttained({ ended, inTime }: Attained): boolean {
  return isAmount(ended) && isAmount(inTime) && inTime <= ended;
}

function isSample(load: LoadSample): boolean {
  return isRate(load.rateRps) && Number.isFinite(load.atMs);
}

/** The view itself where all of it is usable, as nearly always. */
function usableView(view: SwitcherView, stage: Stage): SwitcherView {
  const batch = Math.min(MOST_ROWS, Math.max(1, count(view.batch)));
  const queuedRows = count(view.queuedRows);
  const serviceTimes = view.serviceTimes.every(isServiceTime)
    ? view.serviceTimes
    : view.serviceTimes.filter(isServiceTime);
  const nack = view.nack && findVariant(stage, view.nack.variant) ? view.nack : null;
  const { servedRows = 0, droppedRows = 0, timeFactor = 1, timedBatches = 0 } = view;
  const isUsable =
    batch === view.batch &&
    queuedRows === view.queuedRows &&
    serviceTimes === view.serviceTimes &&
    nack === view.nack &&
    count(servedRows) === servedRows &&
    count(droppedRows) === droppedRows &&
    timeFactor > 0 &&
    count(timedBatches) === timedBatches;
  if (isUsable) return view;
  return {
    ...view,
    batch,
    queuedRows,
    serviceTimes,
    nack,
    servedRows: count(servedRows),
    droppedRows: count(droppedRows),
    timeFactor: timeFactor > 0 ? timeFactor : 1,
    timedBatches: count(timedBatches),
  };
}

function isOf({ stages }: Pipeline, variants: AccuracyEstimate["variants"]): boolean {
  return (
    Object.keys(variants).length === stages.length &&
    stages.every(stage => findVariant(stage, variants[stage.name] ?? "") !== undefined)
  );
}

function isPossible({ requests, right, labels, correction }: AccuracyEstimate): boolean {
  return (
    [requests, right, labels, correction].every(Number.isFinite) &&
    requests >= 0 &&
    requests + labels > 0 &&
    right >= 0 &&
    right <= requests &&
    labels >= 0 &&
    Math.abs(correction) <= labels
  );
}

function isServiceTime({ rows, batches, totalMs }: ServiceTimes): boolean {
  return Number.isFinite(rows) && rows >= 1 && isAmount(batches) && isAmount(totalMs);
}

function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/** A whole number of at least 0. */
function count(value: number): number {
  return value > 0 ? Math.floor(Math.min(value, Number.MAX_SAFE_INTEGER)) : 0;
}
