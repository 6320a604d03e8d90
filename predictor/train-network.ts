import util from "node:util";
import type * as Tf from "@tensorflow/tfjs-core";
import { VariscaleError } from "../domain/errors.ts";
import { QUANTILES } from "../domain/load.ts";
import { normal, partSeed, seededRandom } from "../load/seeded-random.ts";
import { Adam } from "./adam.ts";
import { HIDDEN, type NetworkWeights, PART_NAMES, weightSizes } from "./quantile-network.ts";

const BATCH = 256;
const LEARNING_RATE = 2e-3;
const CATCH_UP_RATE = 1e-3;
const PATIENCE = 6;
const LEAST_GAIN = 1e-5;
const OUTPUT_DEVIATION = 0.02;
const VALIDATION_BATCH = 4096;

/** Standardised inputs, one row after the other, and the standardised outcome of each row. */
export interface TrainingSet {
  readonly count: number;
  readonly inputs: number;
  readonly features: Float32Array;
  readonly outcomes: Float32Array;
}

export interface TrainingOptions {
  readonly seed: number;
  readonly epochs: number;
  /** Called between batches; a promise is waited for. What it throws ends the training. */
  readonly onBatch: () => Promise<void> | null;
}

export interface Trained {
  readonly weights: NetworkWeights;
  /** Mean pinball loss of the validation set, standardised. */
  readonly loss: number;
  readonly epochs: number;
}

/** Where tensors are computed. */
export interface Backend {
  readonly tf: typeof Tf;
  readonly name: BackendName;
}

/** Fastest first for training. */
export const BACKENDS = ["tensorflow", "wasm", "cpu"] as const;
export type BackendName = (typeof BACKENDS)[number];

/** By a variable, so that no compiler and no bundler asks for what is optional. */
const NATIVE = "@tensorflow/tfjs-node";

/**
 * The first of `names` that loads: `tensorflow` where `@tensorflow/tfjs-node` is installed, `wasm`, `cpu`. Throws with the reasons of
 * all when none does.
 *
 * @param onRefused called with each that does not load and why.
 */
export async function openBackend(
  names: readonly BackendName[] = BACKENDS,
  onRefused: (name: BackendName, reason: string) => void = () => undefined,
): Promise<Backend> {
  const reasons: string[] = [];
  for (const name of names) {
    try {
      // The native one brings its own copy of tfjs-core, unless the package manager shares ours with it.
      const tf = name === "tensorflow" ? await importNative() : await importPure(name);
      // Without checks of every number, and without advice to install the native one.
      tf.enableProdMode();
      if (!(await tf.setBackend(name))) throw new Error(`tfjs can't initialise ${name}`);
      await tf.ready();
      tryOneOperation(tf);
      return { tf, name };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      reasons.push(`${name}: ${reason}`);
      onRefused(name, reason);
    }
  }
  throw new VariscaleError("unavailable", `no backend of tfjs loads: ${reasons.join("; ")}`);
}

/** A backend may load on a Node that it does not work on, where only its operations fail. */
function tryOneOperation(tf: typeof Tf): void {
  const sum = tf.tidy(() => tf.add(tf.tensor1d([1, 2]), tf.tensor1d([3, 4])).dataSync()[1]);
  if (sum !== 6) throw new Error(`tfjs says that 2 + 4 is ${sum}`);
}

async function importNative(): Promise<typeof Tf> {
  // The native backend still calls these functions of `node:util`, which Node 23 removed.
  const removed = {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isArray: Array.isArray,
  };
  Object.assign(util, Object.fromEntries(Object.entries(removed).filter(([name]) => !(name in util))));
  const loaded = (await import(NATIVE)) as { default?: typeof Tf } & typeof Tf;
  return loaded.default ?? loaded;
}

async function importPure(name: "wasm" | "cpu"): Promise<typeof Tf> {
  if (name === "wasm") await import("@tensorflow/tfjs-backend-wasm");
  else await import("@tensorflow/tfjs-backend-cpu");
  return import("@tensorflow/tfjs-core");
}

/**
 * Trains one network on the pinball loss of QUANTILES: Adam with a rate that falls along a cosine, and the weights of the epoch that
 * did best in the validation set. The same seed and rows give the same weights, bit for bit, on one backend.
 */
export async function trainNetwork(
  backend: Backend,
  training: TrainingSet,
  validation: TrainingSet,
  options: TrainingOptions,
): Promise<Trained> {
  const { tf } = backend;
  const random = seededRandom(partSeed(options.seed, 0));
  const weights = initialWeights(training.inputs, random);
  let best: Trained = { weights: copyOf(weights), loss: Number.POSITIVE_INFINITY, epochs: 0 };
  let worse = 0;
  await passes(tf, weights, training, { ...options, random, rate: LEARNING_RATE }, epoch => {
    const loss = lossOf(tf, weights, validation);
    if (loss < best.loss - LEAST_GAIN) {
      best = { weights: copyOf(weights), loss, epochs: epoch };
      worse = 0;
    } else worse += 1;
    return worse < PATIENCE;
  });
  return best;
}

/**
 * The weights after more passes over `rows` at a smaller rate: of a network that is known to be good, for rows that it was not shown
 * while that was found out.
 */
export async function catchUp(
  backend: Backend,
  weights: NetworkWeights,
  rows: TrainingSet,
  options: TrainingOptions,
): Promise<NetworkWeights> {
  const caughtUp = copyOf(weights);
  const random = seededRandom(partSeed(options.seed, 1));
  await passes(backend.tf, caughtUp, rows, { ...options, random, rate: CATCH_UP_RATE }, () => true);
  return caughtUp;
}

interface Passes extends Pick<TrainingOptions, "epochs" | "onBatch"> {
  readonly random: () => number;
  /** Of the first step. */
  readonly rate: number;
}

/** Changes the weights in place, each epoch in another order; `goesOn` is asked after each. */
async function passes(
  tf: TfModule,
  weights: NetworkWeights,
  set: TrainingSet,
  { epochs, onBatch, random, rate }: Passes,
  goesOn: (epoch: number) => boolean,
): Promise<void> {
  const adam = new Adam(weights);
  const batches = Math.max(1, Math.floor(set.count / BATCH));
  const batchRows = Math.min(BATCH, set.count);
  const steps = batches * epochs;
  const order = Int32Array.from({ length: set.count }, (_, i) => i);
  const inputs = new Float32Array(batchRows * set.inputs);
  const outcomes = new Float32Array(batchRows);
  let step = 0;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    shuffle(order, random);
    for (let batch = 0; batch < batches; batch++) {
      gather(set, order, batch * batchRows, inputs, outcomes);
      const gradients = gradientsOf(tf, weights, inputs, outcomes);
      adam.step(weights, gradients, 0.5 * rate * (1 + Math.cos((Math.PI * step) / steps)));
      step += 1;
      const wait = onBatch();
      if (wait !== null) await wait;
    }
    if (!goesOn(epoch)) return;
  }
}

function initialWeights(inputs: number, random: () => number): NetworkWeights {
  const sizes = weightSizes(inputs);
  const uniform = (name: keyof NetworkWeights, from: number, to: number): Float32Array => {
    const limit = Math.sqrt(6 / (from + to));
    return Float32Array.from({ length: sizes[name] }, () => (2 * random() - 1) * limit);
  };
  const small = (name: keyof NetworkWeights): Float32Array =>
    Float32Array.from({ length: sizes[name] }, () => OUTPUT_DEVIATION * normal(random));
  return {
    first: uniform("first", inputs, HIDDEN),
    firstBias: new Float32Array(sizes.firstBias),
    second: uniform("second", HIDDEN, HIDDEN),
    secondBias: new Float32Array(sizes.secondBias),
    output: small("output"),
    outputBias: new Float32Array(sizes.outputBias),
    skip: small("skip"),
  };
}

function copyOf(weights: NetworkWeights): NetworkWeights {
  return Object.fromEntries(PART_NAMES.map(name => [name, weights[name].slice()])) as unknown as NetworkWeights;
}

/** Fisher and Yates. */
function shuffle(order: Int32Array, random: () => number): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
}

function gather(set: TrainingSet, order: Int32Array, from: number, inputs: Float32Array, outcomes: Float32Array): void {
  for (let i = 0; i < outcomes.length; i++) {
    const row = order[from + i] as number;
    inputs.set(set.features.subarray(row * set.inputs, (row + 1) * set.inputs), i * set.inputs);
    outcomes[i] = set.outcomes[row] as number;
  }
}

type TfModule = typeof Tf;
type PartName = keyof NetworkWeights;
type Parts = Readonly<Record<PartName, Tf.Tensor2D>>;

function partsOf(tf: TfModule, weights: NetworkWeights): Parts {
  const matrix = (name: PartName, columns: number): Tf.Tensor2D =>
    tf.tensor2d(weights[name], [weights[name].length / columns, columns]);
  return {
    first: matrix("first", HIDDEN),
    firstBias: matrix("firstBias", HIDDEN),
    second: matrix("second", HIDDEN),
    secondBias: matrix("secondBias", HIDDEN),
    output: matrix("output", QUANTILES.length),
    outputBias: matrix("outputBias", QUANTILES.length),
    skip: matrix("skip", QUANTILES.length),
  };
}

interface Forward {
  readonly hidden: Tf.Tensor2D;
  readonly deeper: Tf.Tensor2D;
  readonly predicted: Tf.Tensor2D;
}

/** The same as predictQuantiles, for many rows at once. */
function forward(tf: TfModule, parts: Parts, inputs: Tf.Tensor2D): Forward {
  const hidden = tf.relu(tf.add(tf.matMul(inputs, parts.first), parts.firstBias)) as Tf.Tensor2D;
  const deeper = tf.relu(tf.add(tf.matMul(hidden, parts.second), parts.secondBias)) as Tf.Tensor2D;
  const skipped = tf.matMul(inputs, parts.skip);
  return { hidden, deeper, predicted: tf.add(tf.add(tf.matMul(deeper, parts.output), parts.outputBias), skipped) };
}

/** Gradients of the mean pinball loss by every part, in the order of PART_NAMES: tfjs-core registers none of its own in Node. */
function gradientsOf(
  tf: TfModule,
  weights: NetworkWeights,
  inputs: Float32Array,
  outcomes: Float32Array,
): Float32Array[] {
  let found: Float32Array[] = [];
  // Nothing is returned out of tidy(): it would look for tensors in every number of the arrays.
  tf.tidy(() => {
    const rows = outcomes.length;
    const x = tf.tensor2d(inputs, [rows, inputs.length / rows]);
    const parts = partsOf(tf, weights);
    const { hidden, deeper, predicted } = forward(tf, parts, x);
    const levels = tf.tensor1d([...QUANTILES]);
    const isCovered = tf.cast(tf.lessEqual(tf.tensor2d(outcomes, [rows, 1]), predicted), "float32");
    const atOutput = tf.div(tf.sub(isCovered, levels), rows * QUANTILES.length) as Tf.Tensor2D;
    const behind = (at: Tf.Tensor2D, matrix: Tf.Tensor2D, units: Tf.Tensor2D): Tf.Tensor2D =>
      tf.mul(tf.matMul(at, matrix, false, true), tf.cast(tf.greater(units, 0), "float32"));
    const atDeeper = behind(atOutput, parts.output, deeper);
    const atHidden = behind(atDeeper, parts.second, hidden);
    const gradients: Readonly<Record<PartName, Tf.Tensor>> = {
      first: tf.matMul(x, atHidden, true),
      firstBias: tf.sum(atHidden, 0),
      second: tf.matMul(hidden, atDeeper, true),
      secondBias: tf.sum(atDeeper, 0),
      output: tf.matMul(deeper, atOutput, true),
      outputBias: tf.sum(atOutput, 0),
      skip: tf.matMul(x, atOutput, true),
    };
    found = PART_NAMES.map(name => gradients[name].dataSync() as Float32Array);
  });
  return found;
}

function lossOf(tf: TfModule, weights: NetworkWeights, set: TrainingSet): number {
  let sum = 0;
  for (let from = 0; from < set.count; from += VALIDATION_BATCH) {
    const rows = Math.min(VALIDATION_BATCH, set.count - from);
    const [loss = Number.NaN] = tf.tidy(() => {
      const x = tf.tensor2d(set.features.subarray(from * set.inputs, (from + rows) * set.inputs), [rows, set.inputs]);
      const y = tf.tensor2d(set.outcomes.subarray(from, from + rows), [rows, 1]);
      const levels = tf.tensor1d([...QUANTILES]);
      const short = tf.sub(y, forward(tf, partsOf(tf, weights), x).predicted);
      return tf.mean(tf.maximum(tf.mul(short, levels), tf.mul(short, tf.sub(levels, 1)))).dataSync();
    });
    sum += loss * rows;
  }
  return sum / set.count;
}
