import { FEATURES, type FeatureSet } from "../features.ts";
import type { LoadCell } from "../load-history.ts";
import type { Backend } from "../network/backend.ts";
import { readPredictions } from "../network/network.ts";
import type { ForecastModel, HorizonModel, Scale } from "../network/network-model.ts";
import { type NetworkWeights, OUTPUT_LEVELS, standardise } from "../network/network-weights.ts";
import { OpenModel } from "../network/open-model.ts";
import { meanPinballLoss } from "../quantiles.ts";
import { PEAK, RATE, type Target } from "../target.ts";
import { catchUp, type TrainingSet, trainNetwork } from "./train-network.ts";
import { type TrainingRows, trainingRows } from "./training-rows.ts";

/** Of the rows, newest last: what is learnt from, what tells when to stop, and what models are compared by. */
const TRAINING_SHARE = 0.8;
const VALIDATION_SHARE = 0.1;
const LEAST_DEVIATION = 1e-3;
/** Passes over the rows up to a horizon: the longer it is, the more outcomes neighbouring rows share. */
const EPOCHS = [
  [20, 8],
  [60, 5],
  [Number.POSITIVE_INFINITY, 3],
] as const;
/** Over all rows, once the network is compared. */
const CATCH_UP_EPOCHS = 1;
/** More than the ten-second cells of three weeks: every other one teaches clearly less, even where there are days more of them. */
const MOST_ROWS = 200_000;
/** Of more rows there are fewer passes, which together take no longer than those over so many; preparing rows and catching up do. */
const FULL_PASSES_ROWS = 100_000;
/** Fewer rows teach nothing that is worth the time. */
const LEAST_ROWS = 1000;

export interface ModelTrainingOptions {
  readonly features: FeatureSet;
  readonly horizonsSeconds: readonly number[];
  /** One network each. */
  readonly seeds: readonly number[];
  /** Default: 3 to 8, by the horizon; of more than 100,000 rows fewer. */
  readonly epochs?: number;
  readonly mostRows?: number;
  /** Models that the new one is compared with. */
  readonly rivals: readonly ForecastModel[];
  readonly onBatch: () => Promise<void> | null;
}

/**
 * The result of a training. Losses are mean pinball losses of the held-out rows in the Anscombe domain, that of the peak and that of the rate
 * added, before calibration, of the model as it was when it had seen none of them.
 */
export interface ModelTraining {
  /** It has seen all rows: after it was compared it caught up with those that were held out. */
  readonly model: ForecastModel;
  readonly horizons: readonly HorizonTraining[];
}

export interface HorizonTraining {
  readonly horizonSeconds: number;
  readonly rows: number;
  readonly heldOutRows: number;
  /** Of the new model before it caught up. */
  readonly loss: number;
  /** In the order of `rivals`. */
  readonly rivalLosses: readonly number[];
}

/** Null: too little is known for it. */
export async function trainModel(
  backend: Backend,
  cells: readonly LoadCell[],
  options: ModelTrainingOptions,
): Promise<ModelTraining | null> {
  const trained: { model: HorizonModel; report: HorizonTraining }[] = [];
  for (const horizonSeconds of options.horizonsSeconds) {
    const one = await trainHorizon(backend, cells, horizonSeconds, options);
    if (one === null) return null;
    trained.push(one);
  }
  return {
    model: { features: options.features, horizons: trained.map(({ model }) => model) },
    horizons: trained.map(({ report }) => report),
  };
}

async function trainHorizon(
  backend: Backend,
  cells: readonly LoadCell[],
  horizonSeconds: number,
  options: ModelTrainingOptions,
): Promise<{ model: HorizonModel; report: HorizonTraining } | null> {
  const rows = trainingRows(cells, options.features, horizonSeconds, strideOf(cells.length, options.mostRows));
  if (rows.count < LEAST_ROWS) return null;
  const [trainingEnd, validationEnd] = [TRAINING_SHARE, TRAINING_SHARE + VALIDATION_SHARE].map(share =>
    Math.floor(share * rows.count),
  ) as [number, number];
  const scales = scalesOf(rows, trainingEnd);
  standardiseFeatures(rows, 0, validationEnd, scales);
  const training = part(rows, 0, endBefore(rows, trainingEnd, horizonSeconds), scales);
  const validation = part(rows, trainingEnd, endBefore(rows, validationEnd, horizonSeconds), scales);
  const { epochs = epochsOf(horizonSeconds, rows.count), onBatch } = options;
  const members = [];
  for (const seed of options.seeds)
    members.push((await trainNetwork(backend, training, validation, { seed, epochs, onBatch })).weights);
  const model: HorizonModel = { horizonSeconds, ...scales, members };
  const compared = [{ features: options.features, horizons: [model] }, ...options.rivals];
  const [loss = Number.NaN, ...rivalLosses] = compared.map(one =>
    measureLoss(backend, one, rows, validationEnd, horizonSeconds),
  );
  standardiseFeatures(rows, validationEnd, rows.count, scales);
  const all = part(rows, 0, rows.count, scales);
  const caughtUp = [];
  for (const [i, seed] of options.seeds.entries()) {
    const again = { seed, epochs: CATCH_UP_EPOCHS, onBatch };
    caughtUp.push(await catchUp(backend, members[i] as NetworkWeights, all, again));
  }
  return {
    model: { ...model, members: caughtUp },
    report: { horizonSeconds, rows: training.count, heldOutRows: rows.count - validationEnd, loss, rivalLosses },
  };
}

/** How many cells there are to a row. */
export function strideOf(cells: number, mostRows = MOST_ROWS): number {
  return Math.ceil(cells / mostRows);
}

/** Passes over so many rows when nobody says how many. */
export function epochsOf(horizonSeconds: number, rows: number): number {
  const full = EPOCHS.find(([upTo]) => horizonSeconds <= upTo)?.[1] ?? 1;
  return Math.max(1, Math.round(full * Math.min(1, FULL_PASSES_ROWS / rows)));
}

/** The first of the rows up to `end` whose horizon reaches into what comes after. */
function endBefore(rows: TrainingRows, end: number, horizonSeconds: number): number {
  const limit = (rows.seconds[end] ?? Number.POSITIVE_INFINITY) - horizonSeconds;
  let last = end;
  while (last > 0 && (rows.seconds[last - 1] ?? 0) > limit) last -= 1;
  return last;
}

type Scales = Pick<HorizonModel, "inputMeans" | "inputDeviations" | "outcomes">;

function scalesOf(rows: TrainingRows, end: number): Scales {
  const inputMeans = new Float32Array(rows.inputs);
  const inputDeviations = new Float32Array(rows.inputs);
  for (let i = 0; i < rows.inputs; i++) {
    const { mean, deviation } = momentsOf(end, row => rows.features[row * rows.inputs + i] as number);
    inputMeans[i] = mean;
    inputDeviations[i] = deviation + LEAST_DEVIATION;
  }
  const measureScale = (name: Target["name"]): Scale => {
    const { mean, deviation } = momentsOf(end, row => readRelative(rows, name, row));
    return { mean, deviation: deviation + LEAST_DEVIATION };
  };
  return { inputMeans, inputDeviations, outcomes: { peak: measureScale("peak"), rate: measureScale("rate") } };
}

function readRelative({ outcomes, levels }: TrainingRows, name: Target["name"], row: number): number {
  return (outcomes[name][row] as number) - (levels[row] as number);
}

/** Of what is not NaN; 0 and 1 where all is. */
function momentsOf(
  count: number,
  numberAt: (row: number) => number,
): { readonly mean: number; readonly deviation: number } {
  let sum = 0;
  let squares = 0;
  let present = 0;
  for (let row = 0; row < count; row++) {
    const value = numberAt(row);
    if (Number.isNaN(value)) continue;
    present += 1;
    sum += value;
    squares += value * value;
  }
  if (present === 0) return { mean: 0, deviation: 1 };
  const mean = sum / present;
  return { mean, deviation: Math.sqrt(Math.max(squares / present - mean * mean, 0)) };
}

/** In place. */
function standardiseFeatures({ inputs, features }: TrainingRows, from: number, to: number, scales: Scales): void {
  for (let at = from * inputs; at < to * inputs; at++) {
    const i = at % inputs;
    features[at] = standardise(
      features[at] as number,
      scales.inputMeans[i] as number,
      scales.inputDeviations[i] as number,
    );
  }
}

/** Rows whose features are standardised already. */
function part(rows: TrainingRows, from: number, to: number, scales: Scales): TrainingSet {
  const { inputs, features } = rows;
  const outcomes = new Float32Array((to - from) * OUTPUT_LEVELS.length);
  let at = 0;
  for (let row = from; row < to; row++) {
    for (const { name, levels } of [PEAK, RATE]) {
      const { mean, deviation } = scales.outcomes[name];
      outcomes.fill(standardise(readRelative(rows, name, row), mean, deviation), at, at + levels.length);
      at += levels.length;
    }
  }
  return { count: to - from, inputs, features: features.subarray(from * inputs, to * inputs), outcomes };
}

/** NaN where the model has no network for the horizon. */
function measureLoss(
  backend: Backend,
  model: ForecastModel,
  rows: TrainingRows,
  from: number,
  horizonSeconds: number,
): number {
  const place = model.horizons.findIndex(one => one.horizonSeconds === horizonSeconds);
  const width = FEATURES[model.features];
  if (place === -1 || width > rows.inputs) return Number.NaN;
  const inputs = new Float32Array((rows.count - from) * width);
  // Both sets of features begin with the recent past, so that a model of the smaller one reads the beginning of a row.
  for (let row = from; row < rows.count; row++)
    inputs.set(rows.features.subarray(row * rows.inputs, row * rows.inputs + width), (row - from) * width);
  const open = new OpenModel(backend, model);
  const outputs = open.predict(place, inputs);
  open.dispose();
  let sum = 0;
  for (let row = from; row < rows.count; row++) {
    const predicted = readPredictions(outputs, row - from, 0);
    // A network that predicts no numbers loses every comparison.
    if (predicted === null) return Number.NaN;
    for (const { name, levels } of [PEAK, RATE])
      sum += meanPinballLoss(levels, predicted[name], readRelative(rows, name, row));
  }
  return sum / (rows.count - from);
}
