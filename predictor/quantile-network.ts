import { type Quantiles, quantiles } from "./quantiles.ts";

/** Units of both hidden layers. */
export const HIDDEN = 64;
const OUTPUTS = 4;
/** A standardised input further out than this says no more than this. */
const LARGEST_INPUT = 8;

type Four = [number, number, number, number];

/** Weights of one network; matrices row by row, a row for every input of the layer. */
export interface NetworkWeights {
  readonly first: Float32Array;
  readonly firstBias: Float32Array;
  readonly second: Float32Array;
  readonly secondBias: Float32Array;
  readonly output: Float32Array;
  readonly outputBias: Float32Array;
  /** From the inputs to the outputs. */
  readonly skip: Float32Array;
}

export const PART_NAMES = [
  "first",
  "firstBias",
  "second",
  "secondBias",
  "output",
  "outputBias",
  "skip",
] as const satisfies readonly (keyof NetworkWeights)[];

/** How many numbers each part of the weights has. */
export function weightSizes(inputs: number): Readonly<Record<keyof NetworkWeights, number>> {
  return {
    first: inputs * HIDDEN,
    firstBias: HIDDEN,
    second: HIDDEN * HIDDEN,
    secondBias: HIDDEN,
    output: HIDDEN * OUTPUTS,
    outputBias: OUTPUTS,
    skip: inputs * OUTPUTS,
  };
}

/** `value` in deviations from the mean; what is missing (NaN) is at the mean, so that it says nothing. */
export function standardise(value: number, mean: number, deviation: number): number {
  const standard = (value - mean) / deviation;
  return Number.isNaN(standard) ? 0 : Math.min(Math.max(standard, -LARGEST_INPUT), LARGEST_INPUT);
}

/** What comes out of the layers; to be filled anew each time, by all networks: those of a thousand pipelines would not stay in the cache. */
const afterFirst = new Float32Array(HIDDEN);
const afterSecond = new Float32Array(HIDDEN);
const outputs = new Float32Array(OUTPUTS);

/**
 * What the network of these weights predicts: two hidden layers with rectifiers, and the inputs straight to the outputs beside them. A value
 * for each of QUANTILES, not yet in order.
 *
 * @param inputs standardised.
 */
export function predictQuantiles(weights: NetworkWeights, inputs: Float32Array): Quantiles {
  layer(inputs, weights.first, weights.firstBias, afterFirst);
  rectify(afterFirst);
  layer(afterFirst, weights.second, weights.secondBias, afterSecond);
  rectify(afterSecond);
  layer(afterSecond, weights.output, weights.outputBias, outputs);
  addLayer(inputs, weights.skip, outputs);
  return quantiles((_q, i) => outputs[i] as number);
}

function layer(inputs: Float32Array, weights: Float32Array, bias: Float32Array, outputs: Float32Array): void {
  outputs.set(bias);
  addLayer(inputs, weights, outputs);
}

/** Where the inputs that are not 0 are: about half of what rectifiers give is 0. */
const places = new Int32Array(1024);

/** Four inputs at a time: to read, round and write an output takes longer than a product. */
function addLayer(inputs: Float32Array, weights: Float32Array, outputs: Float32Array): void {
  const count = outputs.length;
  let used = 0;
  for (let i = 0; i < inputs.length; i++) if (inputs[i] !== 0) places[used++] = i;
  let next = 0;
  for (; next + 4 <= used; next += 4) {
    const [i0, i1, i2, i3] = [places[next], places[next + 1], places[next + 2], places[next + 3]] as Four;
    const [a, b, c, d] = [inputs[i0], inputs[i1], inputs[i2], inputs[i3]] as Four;
    const [atA, atB, atC, atD] = [i0 * count, i1 * count, i2 * count, i3 * count];
    for (let j = 0; j < count; j++) {
      const ab = a * (weights[atA + j] as number) + b * (weights[atB + j] as number);
      const cd = c * (weights[atC + j] as number) + d * (weights[atD + j] as number);
      outputs[j] = (outputs[j] as number) + ab + cd;
    }
  }
  for (; next < used; next++) {
    const i = places[next] as number;
    const input = inputs[i] as number;
    for (let j = 0; j < count; j++) outputs[j] = (outputs[j] as number) + input * (weights[i * count + j] as number);
  }
}

function rectify(values: Float32Array): void {
  for (let i = 0; i < values.length; i++) if ((values[i] as number) < 0) values[i] = 0;
}
