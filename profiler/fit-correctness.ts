import { type CorrectnessModel, chanceOfRight, type Signals, standardised } from "../domain/correctness-model.ts";

/** A request whose answer is known to be right or wrong. */
export interface Example {
  readonly signals: Signals;
  readonly right: boolean;
}

/** In examples: keeps weights small where there are few. */
const RIDGE = 1;
const MOST_SWEEPS = 1000;
/** Of a weight; smaller steps change no estimate. */
const LEAST_STEP = 1e-5;

/**
 * Fits how likely an answer is right, by maximum likelihood with a ridge. Signals that never change are left out.
 *
 * Cyclic coordinate descent on the quadratic that bounds the loss from above (p·(1 − p) ≤ ¼, Böhning and Lindsay 1988): it only ever
 * falls, so that the fit ends, and it is the same for the same examples.
 */
export function fitCorrectness(examples: readonly Example[]): CorrectnessModel {
  const signals = [...new Set(examples.flatMap(({ signals: own }) => Object.keys(own)))].sort().flatMap(name => {
    const values = examples.map(example => example.signals[name] ?? Number.NaN).filter(Number.isFinite);
    const mean = sum(values) / values.length;
    const scale = Math.sqrt(sum(values.map(value => (value - mean) ** 2)) / values.length);
    return scale > 1e-9 ? [{ name, mean, scale }] : [];
  });
  const columns = [
    examples.map(() => 1),
    ...signals.map(({ name, mean, scale }) =>
      examples.map(example => standardised(example.signals[name], mean, scale)),
    ),
  ];
  const [bias = 0, ...weights] = descend(
    columns,
    examples.map(({ right }) => (right ? 1 : 0)),
  );
  return { bias, signals: signals.map((signal, i) => ({ ...signal, weight: weights[i] ?? 0 })) };
}

/** Weights of the columns. */
function descend(columns: readonly (readonly number[])[], right: readonly number[]): number[] {
  const weights = columns.map(() => 0);
  const odds = right.map(() => 0);
  const bounds = columns.map(column => sum(column.map(value => value * value)) / 4 + RIDGE);
  for (let sweep = 0, largest = Number.POSITIVE_INFINITY; sweep < MOST_SWEEPS && largest > LEAST_STEP; sweep++) {
    largest = 0;
    for (const [j, column] of columns.entries()) {
      let slope = RIDGE * (weights[j] ?? 0);
      for (let i = 0; i < column.length; i++)
        slope += (1 / (1 + Math.exp(-(odds[i] ?? 0))) - (right[i] ?? 0)) * (column[i] ?? 0);
      const step = slope / (bounds[j] ?? 1);
      weights[j] = (weights[j] ?? 0) - step;
      for (let i = 0; i < column.length; i++) odds[i] = (odds[i] ?? 0) - step * (column[i] ?? 0);
      largest = Math.max(largest, Math.abs(step));
    }
  }
  return weights;
}

/** Further than this in log-odds no bias is moved: chances there are 0 or 1. */
const MOST_SHIFT = 20;

/**
 * The model with another bias: on these examples its mean chance is the share that is right. What a model of many kinds of items says of
 * one kind alone is off by how much that kind is like the others.
 */
export function recalibrated(model: CorrectnessModel, examples: readonly Example[]): CorrectnessModel {
  const least = 0.5 / examples.length;
  const target = Math.min(
    1 - least,
    Math.max(least, sum(examples.map(({ right }) => (right ? 1 : 0))) / examples.length),
  );
  const signals = examples.map(example => example.signals);
  let [low, high] = [model.bias - MOST_SHIFT, model.bias + MOST_SHIFT];
  for (let i = 0; i < 50; i++) {
    const bias = (low + high) / 2;
    if (estimatedAccuracy({ ...model, bias }, signals) < target) low = bias;
    else high = bias;
  }
  return examples.length === 0 ? model : { ...model, bias: (low + high) / 2 };
}

/** Mean chance of being right: an estimate of accuracy that needs no labels. NaN for no requests. */
export function estimatedAccuracy(model: CorrectnessModel, requests: readonly Signals[]): number {
  return sum(requests.map(signals => chanceOfRight(model, signals))) / requests.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
