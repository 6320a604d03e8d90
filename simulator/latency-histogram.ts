/** Neighbouring bins differ by this factor, so a quantile is right to half a percent. */
const FACTOR = 1.01;
const LEAST_MS = 0.01;
const BINS = 2000;
const LOG_FACTOR = Math.log(FACTOR);

/** Latencies from 0.01 ms to an hour, counted in bins that grow in proportion. */
export class LatencyHistogram {
  count = 0;
  sumMs = 0;
  readonly #bins = new Uint32Array(BINS);

  add(latencyMs: number): void {
    const bin = latencyMs <= LEAST_MS ? 0 : Math.min(BINS - 1, Math.ceil(Math.log(latencyMs / LEAST_MS) / LOG_FACTOR));
    this.#bins[bin] = (this.#bins[bin] as number) + 1;
    this.count += 1;
    this.sumMs += latencyMs;
  }

  addAll(other: LatencyHistogram): void {
    for (let bin = 0; bin < BINS; bin++) this.#bins[bin] = (this.#bins[bin] as number) + (other.#bins[bin] as number);
    this.count += other.count;
    this.sumMs += other.sumMs;
  }

  /** In ms, the middle of its bin; null: there is none. */
  quantile(share: number): number | null {
    if (this.count === 0) return null;
    let left = Math.max(1, Math.ceil(share * this.count));
    for (let bin = 0; bin < BINS; bin++) {
      left -= this.#bins[bin] as number;
      if (left <= 0) return LEAST_MS * FACTOR ** (bin - 0.5);
    }
    return LEAST_MS * FACTOR ** BINS;
  }
}
