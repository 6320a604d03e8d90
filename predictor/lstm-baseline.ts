import type { LoadTrace } from "../load/load-trace.ts";
import { partSeed, seededRandom } from "../load/seeded-random.ts";
import { anscombe } from "./anscombe.ts";
import type { Expert } from "./expert.ts";
import { LstmNetwork } from "./lstm-network.ts";
import { quantiles } from "./quantiles.ts";

export const LSTM_BASELINE = "ipaLstm";

const UNITS = 25;
const STEPS = 12;
const STEP_SECONDS = 10;
const BATCH = 64;
const EPOCHS = 30;
const LEARNING_RATE = 1e-3;
const L1 = 1e-5;
/** Of Adam. */
const [MEAN_KEPT, SQUARE_KEPT, EPSILON] = [0.9, 0.999, 1e-7];
const SEED = 7;

export interface LstmTraining {
  readonly trace: LoadTrace;
  readonly horizonSeconds: number;
  /** Rows whose horizon ends before it are trained on. */
  readonly trainToSecond: number;
  /** Rows from there until here decide which epoch is kept. */
  readonly validateToSecond: number;
}

/**
 * What IPA forecasts with (reconfigurable-ml-pipeline/ipa): an LSTM of 25 units with relu and an L1 penalty of 1e-5 on its input's weights, fed with the
 * highest seconds of the last twelve times ten seconds as they are, trained for 30 epochs on the squared error of the highest second to come: Adam,
 * batches of 64. There the epoch is chosen by the test set, here by a validation set. It gives one number, so all quantiles are that;
 * calibration makes a bound of it. The generator yields the share that is done after every batch, and returns the expert.
 */
export function* trainLstmBaseline(training: LstmTraining): Generator<number, Expert, void> {
  const { trace, horizonSeconds, trainToSecond, validateToSecond } = training;
  const rows = rowsOf(trace, 0, trainToSecond, horizonSeconds);
  const validation = rowsOf(trace, trainToSecond, validateToSecond, horizonSeconds);
  const random = seededRandom(partSeed(SEED, horizonSeconds));
  const network = new LstmNetwork(UNITS, STEPS, random);
  const adam = new Adam(network.weights.length);
  const gradient = new Float64Array(network.weights.length);
  const order = Int32Array.from({ length: rows.count }, (_, i) => i);
  const batches = Math.ceil(rows.count / BATCH);
  let best = { loss: Number.POSITIVE_INFINITY, weights: network.weights.slice() };
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    shuffle(order, random);
    for (let batch = 0; batch < batches; batch++) {
      gradient.fill(0);
      const members = order.subarray(batch * BATCH, (batch + 1) * BATCH);
      for (const row of members) {
        const error = network.predict(rows.inputs, row * STEPS) - (rows.outcomes[row] as number);
        network.addGradient(rows.inputs, row * STEPS, (2 * error) / members.length, gradient);
      }
      for (let i = 0; i < 4 * UNITS; i++)
        gradient[i] = (gradient[i] as number) + L1 * Math.sign(network.weights[i] as number);
      adam.step(network.weights, gradient);
      yield (epoch + batch / batches) / EPOCHS;
    }
    const loss = lossOf(network, validation.count > 0 ? validation : rows);
    if (loss < best.loss) best = { loss, weights: network.weights.slice() };
  }
  network.weights.set(best.weights);
  return expertOf(network);
}

function expertOf(network: LstmNetwork): Expert {
  const inputs = new Float64Array(STEPS);
  return {
    name: LSTM_BASELINE,
    predict: history => {
      for (let step = 0; step < STEPS; step++) {
        const { highestRps } = history.window((STEPS - 1 - step) * STEP_SECONDS, STEP_SECONDS);
        // It was never shown a gap: as there, what is missing is as if it had not been.
        inputs[step] = Number.isNaN(highestRps) ? (inputs[step - 1] ?? 0) : highestRps;
      }
      const peak = anscombe(Math.max(network.predict(inputs), 0));
      return quantiles(() => peak);
    },
  };
}

interface Rows {
  readonly count: number;
  /** STEPS of each row, oldest first. */
  readonly inputs: Float64Array;
  readonly outcomes: Float64Array;
}

/** One row for every ten seconds, of what lies wholly between `from` and `to` and has no second missing. */
function rowsOf(trace: LoadTrace, from: number, to: number, horizonSeconds: number): Rows {
  const past = STEPS * STEP_SECONDS;
  const inputs: number[] = [];
  const outcomes: number[] = [];
  for (let origin = from + past; origin + horizonSeconds <= to; origin += STEP_SECONDS) {
    const outcome = highest(trace.ratesRps, origin, horizonSeconds);
    const steps = Array.from({ length: STEPS }, (_, step) =>
      highest(trace.ratesRps, origin - past + step * STEP_SECONDS, STEP_SECONDS),
    );
    if (Number.isNaN(outcome) || steps.some(Number.isNaN)) continue;
    inputs.push(...steps);
    outcomes.push(outcome);
  }
  return { count: outcomes.length, inputs: Float64Array.from(inputs), outcomes: Float64Array.from(outcomes) };
}

/** NaN when a second is missing. */
function highest(rates: Float64Array, from: number, seconds: number): number {
  let top = 0;
  for (let second = from; second < from + seconds; second++) top = Math.max(top, rates[second] as number);
  return top;
}

function lossOf(network: LstmNetwork, rows: Rows): number {
  let sum = 0;
  for (let row = 0; row < rows.count; row++)
    sum += (network.predict(rows.inputs, row * STEPS) - (rows.outcomes[row] as number)) ** 2;
  return rows.count > 0 ? sum / rows.count : 0;
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

/** Kingma and Ba, 2015. */
class Adam {
  readonly #means: Float64Array;
  readonly #squares: Float64Array;
  #steps = 0;

  constructor(length: number) {
    this.#means = new Float64Array(length);
    this.#squares = new Float64Array(length);
  }

  step(weights: Float64Array, gradient: Float64Array): void {
    this.#steps += 1;
    const rate = (LEARNING_RATE * Math.sqrt(1 - SQUARE_KEPT ** this.#steps)) / (1 - MEAN_KEPT ** this.#steps);
    for (let i = 0; i < weights.length; i++) {
      const slope = gradient[i] as number;
      const mean = MEAN_KEPT * (this.#means[i] as number) + (1 - MEAN_KEPT) * slope;
      const square = SQUARE_KEPT * (this.#squares[i] as number) + (1 - SQUARE_KEPT) * slope * slope;
      this.#means[i] = mean;
      this.#squares[i] = square;
      weights[i] = (weights[i] as number) - (rate * mean) / (Math.sqrt(square) + EPSILON);
    }
  }
}
