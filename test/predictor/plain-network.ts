import { HIDDEN, type NetworkWeights, OUTPUT_LEVELS } from "../../predictor/network/network-weights.ts";

/** Predicts by a network of these weights, from standardised inputs, by plain loops: independent of tfjs. */
export function predictPlainly(weights: NetworkWeights, inputs: readonly number[]): number[] {
  const first = addLayer(inputs, weights.first, weights.firstBias, HIDDEN).map(rectify);
  const second = addLayer(first, weights.second, weights.secondBias, HIDDEN).map(rectify);
  const skip = addLayer(inputs, weights.skip, null, OUTPUT_LEVELS.length);
  return addLayer(second, weights.output, weights.outputBias, OUTPUT_LEVELS.length).map((deep, i) => deep + skip[i]!);
}

function addLayer(inputs: readonly number[], kernel: Float32Array, bias: Float32Array | null, units: number): number[] {
  return Array.from({ length: units }, (_, unit) =>
    inputs.reduce((sum, input, i) => sum + input * kernel[i * units + unit]!, bias?.[unit] ?? 0),
  );
}

function rectify(value: number): number {
  return Math.max(0, value);
}
