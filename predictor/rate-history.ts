/** Kept resolution: what a snapshot writes is exactly what the ring holds. */
const STEPS_PER_RPS = 100;

/**
 * The last `capacitySeconds` one-second rates in a ring of 4 bytes a second. A second without a sample is NaN, never 0. Seconds are
 * counted from 1 as they pass, so that a clock that is set back or forth moves nothing here.
 */
export class RateHistory {
  readonly #ring: Float32Array;
  #second = 0;

  constructor(capacitySeconds: number) {
    this.#ring = new Float32Array(capacitySeconds).fill(Number.NaN);
  }

  /** The number of the newest second; 0 when there is none. */
  get second(): number {
    return this.#second;
  }

  get capacitySeconds(): number {
    return this.#ring.length;
  }

  push(rateRps: number): void {
    this.#second += 1;
    this.#ring[this.#second % this.#ring.length] = Math.round(rateRps * STEPS_PER_RPS) / STEPS_PER_RPS;
  }

  /** Lets `seconds` pass without samples. */
  skip(seconds: number): void {
    const kept = Math.min(seconds, this.#ring.length);
    for (let k = 1; k <= kept; k++) this.#ring[(this.#second + k) % this.#ring.length] = Number.NaN;
    this.#second += seconds;
  }

  /** The rate `age` seconds before the newest; NaN when it is missing or no longer kept. */
  rateAt(age: number): number {
    if (age < 0 || age >= this.#ring.length || age >= this.#second) return Number.NaN;
    return this.#ring[(this.#second - age) % this.#ring.length] ?? Number.NaN;
  }

  /** The highest rate of `seconds` seconds, the newest of them `age` seconds back, and how many of them have a sample. */
  highest(age: number, seconds: number): { readonly rateRps: number; readonly present: number } {
    let rateRps = Number.NaN;
    let present = 0;
    for (let k = age; k < age + seconds; k++) {
      const rate = this.rateAt(k);
      if (Number.isNaN(rate)) continue;
      present += 1;
      if (!(rate <= rateRps)) rateRps = rate;
    }
    return { rateRps, present };
  }

  /** Oldest first, without the missing seconds before the first sample. */
  toRates(): (number | null)[] {
    const rates: (number | null)[] = [];
    for (let age = Math.min(this.#second, this.#ring.length) - 1; age >= 0; age--) {
      const rate = this.rateAt(age);
      if (!Number.isNaN(rate)) rates.push(Math.round(rate * STEPS_PER_RPS) / STEPS_PER_RPS);
      else if (rates.length > 0) rates.push(null);
    }
    return rates;
  }

  /** A history whose newest second has the number `second`, with what fits of `rates`. */
  static fromRates(rates: readonly (number | null)[], second: number, capacitySeconds: number): RateHistory {
    const history = new RateHistory(capacitySeconds);
    history.#second = second - rates.length;
    for (const rate of rates) {
      if (rate === null) history.skip(1);
      else history.push(rate);
    }
    return history;
  }
}
