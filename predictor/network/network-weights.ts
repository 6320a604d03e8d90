import { QUANTILES, RATE_QUANTILES } from "../../domain/load.ts";

/** Units of both hidden layers. */
export const HIDDEN = 64;
/** The levels of the outputs: those of the peak first, then those of the rate. */
export const OUTPUT_LEVELS: readonly number[] = [...QUANTILES, ...RATE_QUANTILES];
const OUTPUTS = OUTPUT_LEVELS.length;
/** A standardised input further out than this says no more than this. */
const LARGEST_INPUT = 8;

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

/** The weights whose parts `read` gives. */
export function createWeights(read: (name: keyof NetworkWeights) => Float32Array): NetworkWeights {
  return {
    first: read("first"),
    firstBias: read("firstBias"),
    second: read("second"),
    secondBias: read("secondBias"),
    output: read("output"),
    outputBias: read("outputBias"),
    skip: read("skip"),
  };
}

/** `value` in deviations from the mean; what is missing (NaN) is at the mean, so that it says nothing. */
export function standardise(value: number, mean: number, deviation: number): number {
  const standard = (value - mean) / deviation;
  return Number.isNaN(standard) ? 0 : Math.min(Math.max(standard, -LARGEST_INPUT), LARGEST_INPUT);
}
