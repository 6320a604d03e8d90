/** How long batches take on this replica, against what was measured before: one factor for all variants, and a delay. */
import { DelayShares } from "./delay-shares.ts";
import { RecentValues } from "./recent-values.ts";

/** The factor is the median of so many batches, so that neither stalls nor chance move it far, while a machine that has become slower soon does. */
const RECENT_RATIOS = 15;
/** Batches before a longer pause say nothing of the machine as it is. */
const LONGEST_PAUSE_MS = 2000;
/** Delays of batches that ended so long ago count half. */
const HALF_LIFE_MS = 5000;
const LEAST_FACTOR = 0.5;
const MOST_FACTOR = 4;
/** The factor that is told is a multiple of this and stays while it is no further off, so that rungs can be kept that were made for it. */
const FACTOR_STEP = 0.01;
/** Batches with a longer delay than the longest that is told take this share of the time, and those with more than the usual one this. */
const LONGEST_SHARE = 0.01;
const USUAL_SHARE = 0.5;
/** No rung makes up for a delay that takes all the time that calls have: then this share of it is left to choose by. */
const LEFT_SHARE = 0.05;

export interface RanBatch {
  /** The variant's measurement for so many rows, in ms; 0: it was not measured, and the batch tells nothing of the machine. */
  readonly measuredMs: number;
  /** The model ran for so long. */
  readonly serviceMs: number;
  /** The replica was busy with it for so long: with the way to the model and back. */
  readonly tookMs: number;
  /** On the clock of the other times. */
  readonly endedMs: number;
  /** A variant was being loaded meanwhile, which takes time from the batch: it tells nothing of the machine. */
  readonly wasLoading: boolean;
}

export class BatchTimes {
  readonly #most: number;
  #ratios = new RecentValues(RECENT_RATIOS);
  #lastMs = 0;
  readonly #delays = new DelayShares(HALF_LIFE_MS);
  #factor = 1;
  #batches = 0;
  #longestDelayMs = 0;
  #usualDelayMs = 0;

  /** @param most batches take so many times what was measured while everything else on the machine is busy, too; 1: nothing shares their cores. */
  constructor(most = 1) {
    this.#most = most;
  }

  /** Batches take so many times what was measured, from 0.5 to 4. It is one number, as the machine differs, not its models. */
  get factor(): number {
    return this.#factor;
  }

  /** How many times longer than now the next batches may take, should everybody else on the machine become busy. */
  get crowding(): number {
    return Math.max(1, this.#most / this.#factor);
  }

  /** Batches that the factor was learnt from, since the start. */
  get batches(): number {
    return this.#batches;
  }

  /** Half of the time goes to batches that take so many milliseconds more than the factor times what was measured. Refusals count with these. */
  get usualDelayMs(): number {
    return this.#usualDelayMs;
  }

  /**
   * Milliseconds that batches take more at most, but for 1 % of the time. Choices count with these, where calls have `softAfterMs` from their
   * arrival to their soft deadline. The share is one of time and not of batches, as a batch that stalls for as long as a hundred others take is
   * met by as many calls as they are.
   */
  findLongestDelayMs(softAfterMs: number): number {
    return Math.min(this.#longestDelayMs, (1 - LEFT_SHARE) * Math.max(0, softAfterMs));
  }

  ran({ measuredMs, serviceMs, tookMs, endedMs, wasLoading }: RanBatch): void {
    if (measuredMs <= 0) return;
    if (!wasLoading) this.#learnFactor(serviceMs / measuredMs, endedMs);
    this.#delays.add(tookMs - this.#factor * measuredMs, tookMs, endedMs);
    this.#longestDelayMs = this.#delays.findDelayMs(LONGEST_SHARE);
    this.#usualDelayMs = this.#delays.findDelayMs(USUAL_SHARE);
  }

  #learnFactor(ratio: number, endedMs: number): void {
    if (endedMs - this.#lastMs > LONGEST_PAUSE_MS) this.#ratios = new RecentValues(RECENT_RATIOS);
    this.#lastMs = endedMs;
    this.#ratios.add(ratio);
    this.#batches += 1;
    const factor = Math.min(MOST_FACTOR, Math.max(LEAST_FACTOR, this.#ratios.median ?? 1));
    if (Math.abs(factor - this.#factor) >= FACTOR_STEP) this.#factor = Math.round(factor / FACTOR_STEP) * FACTOR_STEP;
  }
}
