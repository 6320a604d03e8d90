/** Of every image that a client sends; its score is the variant's offset and this. */
export const PIXEL = 5;

/** What bench/client-process.ts measured of one request. Times are those of performance.timeOrigin + performance.now(). */
export interface Sample {
  /** When the request should have been sent: what latency counts from. */
  readonly dueMs: number;
  readonly latencyMs: number;
  /** Null: the answer was good; otherwise what was wrong with it. */
  readonly failure: Failure | null;
}

/** `lost`: no answer, or a reset. `refused`: an error status. `wrong`: an answer that is not what the variant gives. */
export interface Failure {
  readonly kind: "lost" | "refused" | "wrong";
  readonly text: string;
}

export function sorted(values: readonly number[]): readonly number[] {
  return values.toSorted((a, b) => a - b);
}

/** Of values in ascending order; NaN: there are none. */
export function quantile(values: readonly number[], q: number): number {
  return values[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(sorted(values), 0.5);
}

export function latencies(samples: readonly Sample[]): readonly number[] {
  return sorted(samples.filter(({ failure }) => failure === null).map(({ latencyMs }) => latencyMs));
}

/** Four digits, for figures. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** First and last value of the straight line that fits best (least squares) to values at equal distances. */
export function fittedEnds(values: readonly number[]): { readonly first: number; readonly last: number } {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let covariance = 0;
  let variance = 0;
  for (const [i, value] of values.entries()) {
    covariance += (i - middle) * (value - mean);
    variance += (i - middle) ** 2;
  }
  const slope = variance > 0 ? covariance / variance : 0;
  return { first: mean - slope * middle, last: mean + slope * middle };
}

/** The longest that one of these arrivals, in ascending order, takes where each is served in the same time, one after the other. */
export function worstInTurn(dueMs: readonly number[], serviceMs: number): number {
  let freeMs = Number.NEGATIVE_INFINITY;
  let worstMs = 0;
  for (const atMs of dueMs) {
    freeMs = Math.max(freeMs, atMs) + serviceMs;
    worstMs = Math.max(worstMs, freeMs - atMs);
  }
  return worstMs;
}
