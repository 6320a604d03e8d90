import { type NetworkWeights, PART_NAMES } from "./quantile-network.ts";

const WEIGHT_DECAY = 0.1;

/** Kingma and Ba, ICLR 2015, with the decay of the weights apart from the gradient (Loshchilov and Hutter, ICLR 2019). */
export class Adam {
  readonly #means: Float32Array[];
  readonly #squares: Float32Array[];
  #steps = 0;

  constructor(weights: NetworkWeights) {
    this.#means = PART_NAMES.map(name => new Float32Array(weights[name].length));
    this.#squares = PART_NAMES.map(name => new Float32Array(weights[name].length));
  }

  step(weights: NetworkWeights, gradients: readonly Float32Array[], rate: number): void {
    this.#steps += 1;
    const meanScale = 1 / (1 - 0.9 ** this.#steps);
    const squareScale = 1 / (1 - 0.999 ** this.#steps);
    for (const [p, name] of PART_NAMES.entries()) {
      const values = weights[name];
      const gradient = gradients[p] as Float32Array;
      const means = this.#means[p] as Float32Array;
      const squares = this.#squares[p] as Float32Array;
      for (let i = 0; i < values.length; i++) {
        const g = gradient[i] as number;
        const mean = 0.9 * (means[i] as number) + 0.1 * g;
        const square = 0.999 * (squares[i] as number) + 0.001 * g * g;
        means[i] = mean;
        squares[i] = square;
        const step = (mean * meanScale) / (Math.sqrt(square * squareScale) + 1e-8);
        values[i] = (values[i] as number) - rate * (step + WEIGHT_DECAY * (values[i] as number));
      }
    }
  }
}
