import { QUANTILES } from "../../domain/load.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import { partSeed, seededRandom, shuffle } from "../../load/seeded-random.ts";
import { anscombe } from "../../predictor/anscombe.ts";
import type { Expert } from "../../predictor/expert.ts";
import type { Backend } from "../../predictor/network/backend.ts";

export const LSTM = "ipaLstm";

const UNITS = 25;
const STEPS = 12;
const STEP_SECONDS = 10;
const BATCH = 64;
const EPOCHS = 30;
/** An epoch takes minutes here; what did not get better in so many does not any more. */
const PATIENCE = 4;
const LEARNING_RATE = 1e-3;
const L1 = 1e-5;
const SEED = 7;
/** Seconds that are predicted at once: one by one would take hours. */
const BLOCK_SECONDS = 4096;

export interface LstmTraining {
  readonly trace: LoadTrace;
  readonly horizonsSeconds: readonly number[];
  /** Rows whose horizon ends before it are trained on. */
  readonly trainToSecond: number;
  /** Rows from there until here decide which epoch is kept. */
  readonly validateToSecond: number;
  readonly onProgress: (share: number) => void;
}

/**
 * Trains what IPA forecasts with (reconfigurable-ml-pipeline/ipa): an LSTM of 25 units with relu and an L1 penalty of 1e-5 on its input's weights, fed
 * with the highest seconds of the last twelve times ten seconds as they are, trained for up to 30 epochs on the squared error of the highest second to come:
 * Adam, batches of 64. There the epoch is chosen by the test set, here by a validation set, and training ends when it has not become better for a while. It gives one number, so all quantiles are that; calibration
 * makes a bound of it. It predicts for the trace alone.
 */
export async function trainLstmRival(backend: Backend, training: LstmTraining): Promise<Expert> {
  const { trace, horizonsSeconds, onProgress } = training;
  const rivals = new Map<number, Rival>();
  for (const [i, seconds] of horizonsSeconds.entries()) {
    const onShare = (share: number) => onProgress((i + share) / horizonsSeconds.length);
    rivals.set(seconds, new Rival(backend, await trainNetwork(backend, training, seconds, onShare), trace.ratesRps));
  }
  const firstSecond = Math.round(trace.startMs / 1000) + 1;
  return {
    name: LSTM,
    // A forecaster also predicts horizons that nobody asks for.
    predict: ({ second }, horizonSeconds) => {
      const peak = anscombe(Math.max(rivals.get(horizonSeconds)?.predict(second - firstSecond + 1) ?? 0, 0));
      return QUANTILES.map(() => peak);
    },
  };
}

type Layers = Awaited<ReturnType<Backend["importLayers"]>>;
type Network = ReturnType<Layers["sequential"]>;

async function trainNetwork(
  backend: Backend,
  { trace, trainToSecond, validateToSecond }: LstmTraining,
  horizonSeconds: number,
  onShare: (share: number) => void,
): Promise<Network> {
  const { tf } = backend;
  const rows = readRows(trace, 0, trainToSecond, horizonSeconds);
  const held = readRows(trace, trainToSecond, validateToSecond, horizonSeconds);
  const validation = held.count > 0 ? held : rows;
  const network = createNetwork(await backend.importLayers(), horizonSeconds);
  network.compile({ optimizer: tf.train.adam(LEARNING_RATE), loss: "meanSquaredError" });
  const random = seededRandom(partSeed(SEED, horizonSeconds));
  const order = Int32Array.from({ length: rows.count }, (_, i) => i);
  const batches = Math.ceil(rows.count / BATCH);
  const measureLoss = () => {
    const predicted = predictRows(backend, network, validation.inputs);
    return predicted.reduce((sum, one, row) => sum + (one - (validation.outcomes[row] as number)) ** 2, 0);
  };
  const readWeights = () => network.getWeights().map(weights => tf.tensor(weights.dataSync(), weights.shape));
  let best = { epoch: 0, loss: Number.POSITIVE_INFINITY, weights: readWeights() };
  for (let epoch = 1; epoch <= EPOCHS && epoch - best.epoch <= PATIENCE; epoch++) {
    shuffle(order, random);
    for (let batch = 0; batch < batches; batch++) {
      const members = [...order.subarray(batch * BATCH, (batch + 1) * BATCH)];
      const x = tf.tensor3d(
        members.flatMap(row => readSteps(rows, row)),
        [members.length, STEPS, 1],
      );
      const y = tf.tensor2d(
        members.map(row => rows.outcomes[row] as number),
        [members.length, 1],
      );
      await network.trainOnBatch(x, y);
      tf.dispose([x, y]);
      onShare((epoch - 1 + batch / batches) / EPOCHS);
    }
    const loss = measureLoss();
    // A loss that is no number is none.
    if (!(loss < best.loss)) continue;
    tf.dispose(best.weights);
    best = { epoch, loss, weights: readWeights() };
  }
  network.setWeights(best.weights);
  tf.dispose(best.weights);
  return network;
}

function createNetwork({ sequential, layers, regularizers, initializers }: Layers, horizonSeconds: number): Network {
  const network = sequential();
  const seed = partSeed(SEED, horizonSeconds);
  network.add(
    layers.lstm({
      units: UNITS,
      activation: "relu",
      // As Keras has it; tfjs' own default is a coarser one.
      recurrentActivation: "sigmoid",
      inputShape: [STEPS, 1],
      kernelRegularizer: regularizers.l1({ l1: L1 }),
      kernelInitializer: initializers.glorotUniform({ seed: partSeed(seed, 1) }),
      // Orthogonal ones, Keras' default, need a decomposition that WebAssembly does not have.
      recurrentInitializer: initializers.glorotNormal({ seed: partSeed(seed, 2) }),
    }),
  );
  network.add(layers.dense({ units: 1, kernelInitializer: initializers.glorotUniform({ seed: partSeed(seed, 3) }) }));
  return network;
}

function predictRows({ tf }: Backend, network: Network, inputs: Float32Array): Float32Array {
  return tf.tidy(() => {
    const x = tf.tensor3d(inputs, [inputs.length / STEPS, STEPS, 1]);
    const predicted = network.predict(x, { batchSize: BLOCK_SECONDS });
    return (Array.isArray(predicted) ? predicted[0] : predicted)?.dataSync<"float32">() ?? new Float32Array();
  });
}

/** A network that was trained, and what it predicts from each second of a load. */
class Rival {
  readonly #backend: Backend;
  readonly #network: Network;
  readonly #ratesRps: Float64Array;
  #block: { readonly from: number; readonly predicted: Float32Array } = { from: 0, predicted: new Float32Array() };

  constructor(backend: Backend, network: Network, ratesRps: Float64Array) {
    this.#backend = backend;
    this.#network = network;
    this.#ratesRps = ratesRps;
  }

  /** @param seconds of the load that are known by then. */
  predict(seconds: number): number {
    const { from, predicted } = this.#block;
    const known = seconds < from ? undefined : predicted[seconds - from];
    if (known !== undefined) return known;
    const inputs = new Float32Array(BLOCK_SECONDS * STEPS);
    for (let i = 0; i < BLOCK_SECONDS; i++) inputs.set(readPast(this.#ratesRps, seconds + i), i * STEPS);
    this.#block = { from: seconds, predicted: predictRows(this.#backend, this.#network, inputs) };
    return this.#block.predicted[0] as number;
  }
}

/** The steps up to a second. It was never shown a gap: as in IPA, what is missing is as if it had not been. */
function readPast(ratesRps: Float64Array, seconds: number): number[] {
  const steps: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const from = seconds - (STEPS - step) * STEP_SECONDS;
    const known = ratesRps.subarray(Math.max(0, from), Math.max(0, from + STEP_SECONDS)).filter(rate => rate >= 0);
    steps.push(known.length > 0 ? Math.max(...known) : (steps.at(-1) ?? 0));
  }
  return steps;
}

interface Rows {
  readonly count: number;
  /** STEPS of each row, oldest first. */
  readonly inputs: Float32Array;
  readonly outcomes: Float32Array;
}

/** One row for every ten seconds, of what lies wholly between `from` and `to` and has no second missing. */
function readRows({ ratesRps }: LoadTrace, from: number, to: number, horizonSeconds: number): Rows {
  const past = STEPS * STEP_SECONDS;
  const inputs: number[] = [];
  const outcomes: number[] = [];
  for (let origin = from + past; origin + horizonSeconds <= to; origin += STEP_SECONDS) {
    if (ratesRps.subarray(origin - past, origin + horizonSeconds).some(Number.isNaN)) continue;
    inputs.push(...readPast(ratesRps, origin));
    outcomes.push(Math.max(...ratesRps.subarray(origin, origin + horizonSeconds)));
  }
  return { count: outcomes.length, inputs: Float32Array.from(inputs), outcomes: Float32Array.from(outcomes) };
}

function readSteps({ inputs }: Rows, row: number): number[] {
  return [...inputs.subarray(row * STEPS, (row + 1) * STEPS)];
}
