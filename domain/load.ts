/** Entry requests offered in the second that ended at `atMs`: rejections included, retries counted once. */
export interface LoadSample {
  readonly atMs: number;
  readonly rateRps: number;
}

/** Quantiles that every Forecast has. */
export const QUANTILES = [0.5, 0.9, 0.95, 0.99] as const;
/** Quantiles of the rate. */
export const RATE_QUANTILES = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99] as const;

/** The highest one-second rate within the horizon, as quantiles in the order of QUANTILES, and the reactive estimate. */
export interface Forecast {
  readonly atMs: number;
  readonly horizonMs: number;
  /** In rps, never falling. */
  readonly peakRps: readonly [number, number, number, number];
  /**
   * The steady Poisson rate whose highest second within the horizon has these quantiles: the peak without the chance of single
   * arrivals, which a queueing model adds by itself. In rps, never falling, never above the peak.
   */
  readonly intensityRps: readonly [number, number, number, number];
  /** The mean rate of the last ten seconds of the horizon, as quantiles in the order of RATE_QUANTILES. In rps, never falling. */
  readonly rateRps: readonly number[];
  /** What is needed for the load as it is now, without looking ahead. */
  readonly reactiveRps: number;
  /** By how much that is above the load of 10 s before, where chance does not explain it. Missing: by nothing. */
  readonly riseRps?: number;
  /** The expert with the largest weight. */
  readonly leader: string;
}

/** The rates that may come, of entry requests. */
export interface Likely {
  /** Quantiles of the mean rate in the order of RATE_QUANTILES, in rps. */
  readonly ratesRps: readonly number[];
  /** Quantiles of the highest second in the order of QUANTILES, in rps. */
  readonly peaksRps: readonly number[];
}

/** The load as it is now is the mean of so many seconds, or what the last few of them prove where that is more. */
export const REACTIVE_SECONDS = 10;

/** Planned for where there may be load but none is seen. */
export const LEAST_RPS = 1e-3;

/** Rates above this are taken for errors of the source. */
export const MAX_RATE_RPS = 1e7;

export function isRate(value: number): boolean {
  return Number.isFinite(value) && value >= 0 && value <= MAX_RATE_RPS;
}
