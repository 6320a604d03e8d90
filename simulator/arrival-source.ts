import type { LoadTrace } from "../load/load-trace.ts";

/**
 * Arrival times of a load whose seconds say how many requests come in each: at random within their second, as the arrivals of a
 * Poisson process lie whose counts are known. A fraction of a request is one by chance; seconds that are not known have none.
 */
export class ArrivalSource {
  /** Of the next arrival, from the start of the load; infinite: there are no more. */
  nextMs = Number.POSITIVE_INFINITY;
  /** Requests of each second that is over or has begun. */
  readonly counts: Int32Array;
  readonly #trace: LoadTrace;
  readonly #random: () => number;
  #second = -1;
  #times = new Float64Array(0);
  #at = 0;

  constructor(trace: LoadTrace, random: () => number) {
    this.#trace = trace;
    this.#random = random;
    this.counts = new Int32Array(trace.ratesRps.length);
    this.advance();
  }

  /** Goes on to the next arrival. */
  advance(): void {
    while (this.#at >= this.#times.length) {
      this.#second += 1;
      if (this.#second >= this.#trace.ratesRps.length) {
        this.nextMs = Number.POSITIVE_INFINITY;
        return;
      }
      this.#fill(this.#trace.ratesRps[this.#second] as number);
    }
    this.nextMs = this.#times[this.#at++] as number;
  }

  #fill(rateRps: number): void {
    const whole = Number.isNaN(rateRps) ? 0 : Math.floor(rateRps);
    const rest = Number.isNaN(rateRps) ? 0 : rateRps - whole;
    const count = whole + (rest > 0 && this.#random() < rest ? 1 : 0);
    this.counts[this.#second] = count;
    const times = new Float64Array(count);
    for (let i = 0; i < count; i++) times[i] = (this.#second + this.#random()) * 1000;
    this.#times = times.sort();
    this.#at = 0;
  }
}
