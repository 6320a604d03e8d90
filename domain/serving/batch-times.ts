/** How long batches take on this replica, against what was measured before: one factor for all variants, and a delay. */

/** The factor rises to the median of so many batches at once, so that one that was stalled does not count and three slow ones do. */
const RECENT_RATIOS = 5;
const FACTOR_HALF_LIFE_MS = 5000;
const LEAST_FACTOR = 0.5;
const MOST_FACTOR = 4;
/** The delay is a quantile of so many batches. */
const RECENT_DELAYS = 50;
const DELAY_QUANTILE = 0.9;

export interface RanBatch {
  /** The variant's measurement for so many rows, in ms. */
  readonly measuredMs: number;
  readonly tookMs: number;
  /** On the clock of the other times. */
  readonly endedMs: number;
  /** A variant was being loaded meanwhile, which takes time from the batch: it tells nothing of the machine. */
  readonly wasLoading: boolean;
}

export class BatchTimes {
  readonly #ratios: number[] = [];
  readonly #delays: number[] = [];
  #factor = 1;
  #factorAtMs = 0;
  #delayMs = 0;

  /** Batches take so many times what was measured, from 0.5 to 4. It is one number, as the machine differs, not its models. */
  get factor(): number {
    return this.#factor;
  }

  /** Milliseconds that 90 % of the recent batches stayed below beyond the factor times what was measured. */
  get delayMs(): number {
    return this.#delayMs;
  }

  ran({ measuredMs, tookMs, endedMs, wasLoading }: RanBatch): void {
    if (!wasLoading && measuredMs > 0) this.#learnFactor(tookMs / measuredMs, endedMs);
    keepLast(this.#delays, Math.max(0, tookMs - this.#factor * measuredMs), RECENT_DELAYS);
    this.#delayMs = quantile(this.#delays, DELAY_QUANTILE);
  }

  #learnFactor(ratio: number, atMs: number): void {
    keepLast(this.#ratios, ratio, RECENT_RATIOS);
    const recent = Math.min(MOST_FACTOR, Math.max(LEAST_FACTOR, quantile(this.#ratios, 0.5)));
    const left = 0.5 ** (Math.max(0, atMs - this.#factorAtMs) / FACTOR_HALF_LIFE_MS);
    this.#factor = recent >= this.#factor ? recent : recent + (this.#factor - recent) * left;
    this.#factorAtMs = atMs;
  }
}

function keepLast(values: number[], value: number, count: number): void {
  values.push(value);
  if (values.length > count) values.shift();
}

/** The smallest value that at least this share of the values does not exceed. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
