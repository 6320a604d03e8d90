import { normal } from "../load/seeded-random.ts";

/** Gates in their order within a row of weights: input, forget, candidate, output. */
const GATES = 4;

/**
 * An LSTM layer over a series of single values with a dense output, as Keras defines it with `activation="relu"`: sigmoid gates, and
 * relu where the candidate enters the cell and the cell leaves it. All weights are in one array: the input's, the recurrent ones
 * (unit by unit), biases, the output's, its bias.
 */
export class LstmNetwork {
  readonly units: number;
  readonly steps: number;
  readonly weights: Float64Array;
  readonly #gates: Float64Array;
  readonly #cells: Float64Array;
  readonly #hidden: Float64Array;
  readonly #hiddenSlope: Float64Array;
  readonly #cellSlope: Float64Array;
  readonly #gateSlopes: Float64Array;

  constructor(units: number, steps: number, random: () => number) {
    this.units = units;
    this.steps = steps;
    this.weights = initialWeights(units, random);
    this.#gates = new Float64Array(steps * GATES * units);
    this.#cells = new Float64Array((steps + 1) * units);
    this.#hidden = new Float64Array((steps + 1) * units);
    this.#hiddenSlope = new Float64Array(units);
    this.#cellSlope = new Float64Array(units);
    this.#gateSlopes = new Float64Array(GATES * units);
  }

  /** @param offset of the first of `steps` values in `inputs`. */
  predict(inputs: Float64Array, offset = 0): number {
    const { units, steps, weights } = this;
    const width = GATES * units;
    const [recurrent, bias, output] = [width, width + units * width, width + units * width + width];
    const [gates, cells, hidden] = [this.#gates, this.#cells, this.#hidden];
    for (let step = 0; step < steps; step++) {
      const x = inputs[offset + step] as number;
      const at = step * width;
      for (let g = 0; g < width; g++) gates[at + g] = (weights[bias + g] as number) + x * (weights[g] as number);
      if (step > 0) {
        for (let unit = 0; unit < units; unit++) {
          const h = hidden[step * units + unit] as number;
          if (h === 0) continue;
          const row = recurrent + unit * width;
          for (let g = 0; g < width; g++) gates[at + g] = (gates[at + g] as number) + h * (weights[row + g] as number);
        }
      }
      for (let unit = 0; unit < units; unit++) {
        const input = sigmoid(gates[at + unit] as number);
        const forget = sigmoid(gates[at + units + unit] as number);
        const candidate = Math.max(gates[at + 2 * units + unit] as number, 0);
        const out = sigmoid(gates[at + 3 * units + unit] as number);
        gates[at + unit] = input;
        gates[at + units + unit] = forget;
        gates[at + 2 * units + unit] = candidate;
        gates[at + 3 * units + unit] = out;
        const cell = forget * (cells[step * units + unit] as number) + input * candidate;
        cells[(step + 1) * units + unit] = cell;
        hidden[(step + 1) * units + unit] = out * Math.max(cell, 0);
      }
    }
    let sum = weights[output + units] as number;
    for (let unit = 0; unit < units; unit++)
      sum += (hidden[steps * units + unit] as number) * (weights[output + unit] as number);
    return sum;
  }

  /** Adds `slope` times the derivative of the last prediction, which was of these inputs, with respect to each weight. */
  addGradient(inputs: Float64Array, offset: number, slope: number, gradient: Float64Array): void {
    const { units, steps, weights } = this;
    const width = GATES * units;
    const [recurrent, bias, output] = [width, width + units * width, width + units * width + width];
    const [gates, cells, hidden] = [this.#gates, this.#cells, this.#hidden];
    const [hiddenSlope, cellSlope, gateSlopes] = [this.#hiddenSlope, this.#cellSlope, this.#gateSlopes];
    cellSlope.fill(0);
    gradient[output + units] = (gradient[output + units] as number) + slope;
    for (let unit = 0; unit < units; unit++) {
      gradient[output + unit] = (gradient[output + unit] as number) + slope * (hidden[steps * units + unit] as number);
      hiddenSlope[unit] = slope * (weights[output + unit] as number);
    }
    for (let step = steps - 1; step >= 0; step--) {
      const at = step * width;
      for (let unit = 0; unit < units; unit++) {
        const input = gates[at + unit] as number;
        const forget = gates[at + units + unit] as number;
        const candidate = gates[at + 2 * units + unit] as number;
        const out = gates[at + 3 * units + unit] as number;
        const cell = cells[(step + 1) * units + unit] as number;
        const dHidden = hiddenSlope[unit] as number;
        const dCell = (cellSlope[unit] as number) + (cell > 0 ? dHidden * out : 0);
        gateSlopes[unit] = dCell * candidate * input * (1 - input);
        gateSlopes[units + unit] = dCell * (cells[step * units + unit] as number) * forget * (1 - forget);
        gateSlopes[2 * units + unit] = candidate > 0 ? dCell * input : 0;
        gateSlopes[3 * units + unit] = dHidden * Math.max(cell, 0) * out * (1 - out);
        cellSlope[unit] = dCell * forget;
      }
      const x = inputs[offset + step] as number;
      for (let g = 0; g < width; g++) {
        const d = gateSlopes[g] as number;
        gradient[g] = (gradient[g] as number) + x * d;
        gradient[bias + g] = (gradient[bias + g] as number) + d;
      }
      if (step === 0) continue;
      for (let unit = 0; unit < units; unit++) {
        const h = hidden[step * units + unit] as number;
        const row = recurrent + unit * width;
        let sum = 0;
        for (let g = 0; g < width; g++) {
          const d = gateSlopes[g] as number;
          gradient[row + g] = (gradient[row + g] as number) + h * d;
          sum += d * (weights[row + g] as number);
        }
        hiddenSlope[unit] = sum;
      }
    }
  }
}

/** Of Keras: Glorot's uniform for what comes in and goes out, orthogonal rows for the recurrent part, a forget bias of 1. */
function initialWeights(units: number, random: () => number): Float64Array {
  const width = GATES * units;
  const weights = new Float64Array(width + units * width + width + units + 1);
  const uniform = (from: number, count: number, fanIn: number, fanOut: number): void => {
    const limit = Math.sqrt(6 / (fanIn + fanOut));
    for (let i = 0; i < count; i++) weights[from + i] = limit * (2 * random() - 1);
  };
  uniform(0, width, 1, width);
  const rows: Float64Array[] = [];
  for (let unit = 0; unit < units; unit++) {
    const row = Float64Array.from({ length: width }, () => normal(random));
    for (const other of rows) {
      const along = row.reduce((sum, value, i) => sum + value * (other[i] as number), 0);
      for (let i = 0; i < width; i++) row[i] = (row[i] as number) - along * (other[i] as number);
    }
    const length = Math.hypot(...row);
    rows.push(row.map(value => value / length));
    weights.set(rows.at(-1) ?? row, width + unit * width);
  }
  const bias = width + units * width;
  weights.fill(1, bias + units, bias + 2 * units);
  uniform(bias + width, units, units, 1);
  return weights;
}

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}
