import { FEATURES } from "../features.ts";
import { PEAK } from "../target.ts";
import { type Backend, openBackend } from "./backend.ts";
import type { ForecastModel, HorizonModel } from "./network-model.ts";
import { HIDDEN, type NetworkWeights, OUTPUT_LEVELS, standardise } from "./network-weights.ts";

const OUTPUTS = OUTPUT_LEVELS.length;

type Tensor = ReturnType<Backend["tf"]["tensor2d"]>;
type Bias = ReturnType<Backend["tf"]["tensor1d"]>;

/** The members of an ensemble side by side, as one network that predicts their mean. */
interface JoinedNetwork {
  readonly first: Tensor;
  readonly firstBias: Bias;
  readonly second: Tensor;
  readonly secondBias: Bias;
  readonly output: Tensor;
  readonly outputBias: Bias;
  readonly skip: Tensor;
}

/** A model whose networks lie in a backend of tfjs, ready to predict: two hidden layers with rectifiers, and the inputs straight to the outputs beside them. */
export class OpenModel {
  readonly model: ForecastModel;
  readonly #tf: Backend["tf"];
  readonly #networks: readonly JoinedNetwork[];

  constructor({ tf }: Backend, model: ForecastModel) {
    this.model = model;
    this.#tf = tf;
    const inputs = FEATURES[model.features];
    this.#networks = model.horizons.map(horizon => joinMembers(tf, horizon, inputs));
  }

  /**
   * Predicts many rows at once.
   *
   * @param horizon place of the horizon in the model.
   * @param inputs of one row after the other, as `features` gives them of the model's set.
   * @returns for one row after the other a value for each of OUTPUT_LEVELS, relative to the level, in the Anscombe domain, not yet in order.
   */
  predict(horizon: number, inputs: Float32Array): Float32Array {
    const { features, horizons } = this.model;
    const { inputMeans, inputDeviations } = horizons[horizon] as HorizonModel;
    const network = this.#networks[horizon] as JoinedNetwork;
    const width = FEATURES[features];
    const scaled = inputs.map((value, at) =>
      standardise(value, inputMeans[at % width] as number, inputDeviations[at % width] as number),
    );
    const tf = this.#tf;
    return tf.tidy(() => {
      const a = tf.tensor2d(scaled, [inputs.length / width, width]);
      const first = tf.fused.matMul({ a, b: network.first, bias: network.firstBias, activation: "relu" });
      const second = tf.fused.matMul({ a: first, b: network.second, bias: network.secondBias, activation: "relu" });
      const deep = tf.fused.matMul({ a: second, b: network.output, bias: network.outputBias });
      return tf.add(deep, tf.matMul(a, network.skip)).dataSync<"float32">();
    });
  }

  /** Gives its memory back to the backend; it can't predict any more. */
  dispose(): void {
    for (const network of this.#networks) this.#tf.dispose(Object.values(network));
  }
}

let opening: Promise<Backend> | null = null;

/**
 * Opens a model in this thread, whose backend is loaded once, for one row at a time: there native TensorFlow is far slower than WebAssembly. Throws
 * where no backend loads.
 */
export async function openModel(model: ForecastModel): Promise<OpenModel> {
  opening ??= openBackend(["wasm", "tensorflow", "cpu"]);
  return new OpenModel(await opening, model);
}

/**
 * One network does in one go what several small ones would take as long for each: hidden layers beside each other, of which the second looks at its
 * own first one alone, and outputs that are averaged and brought to scale by the last weights.
 */
function joinMembers(tf: Backend["tf"], { members, outcomes }: HorizonModel, inputs: number): JoinedNetwork {
  const count = members.length;
  const hidden = count * HIDDEN;
  const read = (part: keyof NetworkWeights, member: number, at: number): number =>
    members[member]?.[part][at] as number;
  const findScale = (output: number) => outcomes[output < PEAK.levels.length ? "peak" : "rate"];
  /** A mean over the members of what each adds to an output. */
  const average = (part: "outputBias" | "skip", at: number): number =>
    (members.reduce((sum, weights) => sum + (weights[part][at] as number), 0) / count) *
    findScale(at % OUTPUTS).deviation;
  const matrix = (rows: number, columns: number, value: (row: number, column: number) => number): Tensor =>
    tf.tensor2d(
      Float32Array.from({ length: rows * columns }, (_, at) => value(Math.floor(at / columns), at % columns)),
      [rows, columns],
    );
  const vector = (length: number, value: (at: number) => number): Bias =>
    tf.tensor1d(Float32Array.from({ length }, (_, at) => value(at)));
  const member = (unit: number): number => Math.floor(unit / HIDDEN);
  return {
    first: matrix(inputs, hidden, (row, unit) => read("first", member(unit), row * HIDDEN + (unit % HIDDEN))),
    firstBias: vector(hidden, unit => read("firstBias", member(unit), unit % HIDDEN)),
    second: matrix(hidden, hidden, (from, to) =>
      member(from) === member(to) ? read("second", member(to), (from % HIDDEN) * HIDDEN + (to % HIDDEN)) : 0,
    ),
    secondBias: vector(hidden, unit => read("secondBias", member(unit), unit % HIDDEN)),
    output: matrix(
      hidden,
      OUTPUTS,
      (unit, output) =>
        (read("output", member(unit), (unit % HIDDEN) * OUTPUTS + output) / count) * findScale(output).deviation,
    ),
    outputBias: vector(OUTPUTS, output => findScale(output).mean + average("outputBias", output)),
    skip: matrix(inputs, OUTPUTS, (row, output) => average("skip", row * OUTPUTS + output)),
  };
}
