import { partSeed, seededRandom, shuffle } from "../../load/seeded-random.ts";
import type { Backend } from "../network/backend.ts";
import { createWeights, HIDDEN, type NetworkWeights, OUTPUT_LEVELS, PART_NAMES } from "../network/network-weights.ts";

const BATCH = 256;
const LEARNING_RATE = 2e-3;
const CATCH_UP_RATE = 1e-3;
/** Weights shrink by this share of the learning rate, apart from the gradient (Loshchilov and Hutter, ICLR 2019). */
const WEIGHT_DECAY = 0.1;
const PATIENCE = 6;
const LEAST_GAIN = 1e-5;
const OUTPUT_DEVIATION = 0.02;
const VALIDATION_BATCH = 4096;

/** Standardised inputs, one row after the other, and the standardised outcomes of each row, one for each of OUTPUT_LEVELS. */
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

/**
 * Trains one network on the pinball loss of OUTPUT_LEVELS: Adam with a rate that falls along a cosine, and the weights of the epoch that
 * did best in the validation set. The same seed and rows give the same weights, bit for bit, on one backend.
 */
export function trainNetwork(
  backend: Backend,
  training: TrainingSet,
  validation: TrainingSet,
  options: TrainingOptions,
): Promise<Trained> {
  const random = seededRandom(partSeed(options.seed, 0));
  return useNetwork(backend, training.inputs, options.seed, async network => {
    let best: Trained = { weights: readWeights(network), loss: Number.POSITIVE_INFINITY, epochs: 0 };
    let worse = 0;
    await passOver(backend, network, training, { ...options, random, rate: LEARNING_RATE }, epoch => {
      const loss = measureLoss(backend, network, validation);
      if (loss < best.loss - LEAST_GAIN) {
        best = { weights: readWeights(network), loss, epochs: epoch };
        worse = 0;
      } else worse += 1;
      return worse < PATIENCE;
    });
    return best;
  });
}

/**
 * The weights after more passes over `rows` at a smaller rate: of a network that is known to be good, for rows that it was not shown
 * while that was found out.
 */
export function catchUp(
  backend: Backend,
  weights: NetworkWeights,
  rows: TrainingSet,
  options: TrainingOptions,
): Promise<NetworkWeights> {
  const random = seededRandom(partSeed(options.seed, 1));
  return useNetwork(backend, rows.inputs, options.seed, async network => {
    writeWeights(backend, network, weights);
    await passOver(backend, network, rows, { ...options, random, rate: CATCH_UP_RATE }, () => true);
    return readWeights(network);
  });
}

type Layers = Awaited<ReturnType<Backend["importLayers"]>>;
type Network = ReturnType<Layers["model"]>;
type Tensor = ReturnType<Backend["tf"]["tensor"]>;

/** Two hidden layers with rectifiers, and the inputs straight to the outputs beside them; it is disposed of when `use` has ended. */
async function useNetwork<T>(
  backend: Backend,
  inputs: number,
  seed: number,
  use: (network: Network) => Promise<T>,
): Promise<T> {
  const network = createNetwork(await backend.importLayers(), inputs, seed);
  try {
    return await use(network);
  } finally {
    network.dispose();
  }
}

function createNetwork({ input, model, layers, initializers }: Layers, inputs: number, seed: number): Network {
  const uniform = (part: number) => initializers.glorotUniform({ seed: partSeed(seed, part) });
  const small = (part: number) =>
    initializers.randomNormal({ mean: 0, stddev: OUTPUT_DEVIATION, seed: partSeed(seed, part) });
  const first = layers.dense({ name: "first", units: HIDDEN, activation: "relu", kernelInitializer: uniform(2) });
  const second = layers.dense({ name: "second", units: HIDDEN, activation: "relu", kernelInitializer: uniform(3) });
  const output = layers.dense({ name: "output", units: OUTPUT_LEVELS.length, kernelInitializer: small(4) });
  const skip = layers.dense({ name: "skip", units: OUTPUT_LEVELS.length, useBias: false, kernelInitializer: small(5) });
  const features = input({ shape: [inputs] });
  const deep = output.apply(second.apply(first.apply(features)));
  const both = [deep, skip.apply(features)] as (typeof features)[];
  return model({ inputs: features, outputs: layers.add().apply(both) as typeof features });
}

/** The layer of each part of the weights, and whether it is the layer's bias. */
const PLACES = {
  first: ["first", 0],
  firstBias: ["first", 1],
  second: ["second", 0],
  secondBias: ["second", 1],
  output: ["output", 0],
  outputBias: ["output", 1],
  skip: ["skip", 0],
} as const satisfies Record<keyof NetworkWeights, readonly [string, number]>;

function readWeights(network: Network): NetworkWeights {
  return createWeights(name => {
    const [layer, at] = PLACES[name];
    return Float32Array.from(network.getLayer(layer).getWeights()[at]?.dataSync() ?? []);
  });
}

function writeWeights({ tf }: Backend, network: Network, weights: NetworkWeights): void {
  tf.tidy(() => {
    for (const layer of network.layers) {
      const shapes = layer.getWeights().map(({ shape }) => shape);
      const names = PART_NAMES.filter(name => PLACES[name][0] === layer.name);
      layer.setWeights(names.map((name, at) => tf.tensor(weights[name], shapes[at])));
    }
  });
}

interface Passes extends Pick<TrainingOptions, "epochs" | "onBatch"> {
  readonly random: () => number;
  /** The first step has this learning rate; the others fall to 0 along a cosine. */
  readonly rate: number;
}

/** Changes the weights, each epoch in another order of the rows; `goesOn` is asked after each. */
async function passOver(
  backend: Backend,
  network: Network,
  set: TrainingSet,
  { epochs, onBatch, random, rate }: Passes,
  goesOn: (epoch: number) => boolean,
): Promise<void> {
  const { tf } = backend;
  const optimizer = tf.train.adam(rate);
  network.compile({ optimizer, loss: (actual, predicted) => measurePinball(tf, actual, predicted) });
  const batches = Math.max(1, Math.floor(set.count / BATCH));
  const rows = Math.min(BATCH, set.count);
  const steps = batches * epochs;
  const order = Int32Array.from({ length: set.count }, (_, i) => i);
  const inputs = new Float32Array(rows * set.inputs);
  const outcomes = new Float32Array(rows * OUTPUT_LEVELS.length);
  let step = 0;
  try {
    for (let epoch = 1; epoch <= epochs; epoch++) {
      shuffle(order, random);
      for (let batch = 0; batch < batches; batch++) {
        gather(set, order, batch * rows, inputs, outcomes);
        await takeStep(backend, network, { inputs, outcomes }, rate, 0.5 * (1 + Math.cos((Math.PI * step) / steps)));
        step += 1;
        const wait = onBatch();
        if (wait !== null) await wait;
      }
      if (!goesOn(epoch)) return;
    }
  } finally {
    optimizer.dispose();
  }
}

/**
 * One step of Adam, of which `share` is taken: a step is the learning rate times what does not depend on it, so that a share of the step is a
 * step of that share of the rate, which an optimiser of tfjs keeps as it is.
 */
async function takeStep(
  { tf }: Backend,
  network: Network,
  { inputs, outcomes }: { readonly inputs: Float32Array; readonly outcomes: Float32Array },
  rate: number,
  share: number,
): Promise<void> {
  const { x, y, before } = tf.tidy(() => ({
    ...tensorsOf(tf, inputs, outcomes),
    before: network.getWeights().map(weights => tf.clone(weights)),
  }));
  try {
    await network.trainOnBatch(x, y);
    tf.tidy(() => {
      const after = network.getWeights();
      const decayed = 1 - share - share * rate * WEIGHT_DECAY;
      network.setWeights(before.map((was, at) => tf.add(tf.mul(was, decayed), tf.mul(after[at] as Tensor, share))));
    });
  } finally {
    tf.dispose([x, y, before]);
  }
}

function gather(set: TrainingSet, order: Int32Array, from: number, inputs: Float32Array, outcomes: Float32Array): void {
  const copy = (all: Float32Array, width: number, into: Float32Array): void => {
    for (let i = 0; i * width < into.length; i++) {
      const row = order[from + i] as number;
      into.set(all.subarray(row * width, (row + 1) * width), i * width);
    }
  };
  copy(set.features, set.inputs, inputs);
  copy(set.outcomes, OUTPUT_LEVELS.length, outcomes);
}

function tensorsOf(
  tf: Backend["tf"],
  inputs: Float32Array,
  outcomes: Float32Array,
): { readonly x: Tensor; readonly y: Tensor } {
  const rows = outcomes.length / OUTPUT_LEVELS.length;
  const y = tf.tensor2d(outcomes, [rows, OUTPUT_LEVELS.length]);
  return { x: tf.tensor2d(inputs, [rows, inputs.length / rows]), y };
}

function measurePinball(tf: Backend["tf"], actual: Tensor, predicted: Tensor): Tensor {
  const levels = tf.tensor1d([...OUTPUT_LEVELS]);
  const short = tf.sub(actual, predicted);
  return tf.mean(tf.maximum(tf.mul(short, levels), tf.mul(short, tf.sub(levels, 1))));
}

function measureLoss({ tf }: Backend, network: Network, { features, outcomes }: TrainingSet): number {
  const loss = tf.tidy(() => {
    const { x, y } = tensorsOf(tf, features, outcomes);
    return (network.evaluate(x, y, { batchSize: VALIDATION_BATCH }) as Tensor).dataSync();
  });
  return loss[0] ?? Number.NaN;
}
