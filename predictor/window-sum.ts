/** What a window of seconds held. */
export interface LoadWindow {
  /** Over the seconds that have a sample; NaN when none has. */
  readonly meanRps: number;
  /** Of one second; NaN when none has a sample. */
  readonly highestRps: number;
  /** How many seconds have a sample. */
  readonly present: number;
}

const SUM = 0;
const PRESENT = 1;
const HIGHEST = 2;

/** Adds up a window from single seconds and from cells of several; to be used again after `reset()`. */
export class WindowSum {
  /** A typed array, because numbers that change in an object's own fields are allocated anew each time. */
  readonly #totals = new Float64Array(3);
  #seconds = 0;

  reset(seconds: number): void {
    this.#seconds = seconds;
    this.#totals[SUM] = 0;
    this.#totals[PRESENT] = 0;
    this.#totals[HIGHEST] = Number.NEGATIVE_INFINITY;
  }

  /** NaN: it has no sample. */
  addSecond(rateRps: number): void {
    if (Number.isNaN(rateRps)) return;
    this.#add(rateRps, 1);
    this.#raise(rateRps);
  }

  /**
   * A cell of which `overlap` seconds lie in the window. Where in the cell its highest second was is not known: it counts when at
   * least half of the cell, or of the window, lies in the other.
   */
  addCell(overlap: number, cellSeconds: number, meanRps: number, highestRps: number): void {
    if (Number.isNaN(meanRps)) return;
    this.#add(overlap * meanRps, overlap);
    if (2 * overlap >= Math.min(cellSeconds, this.#seconds)) this.#raise(highestRps);
  }

  get meanRps(): number {
    return (this.#totals[SUM] as number) / (this.#totals[PRESENT] as number);
  }

  get highestRps(): number {
    const highest = this.#totals[HIGHEST] as number;
    return highest === Number.NEGATIVE_INFINITY ? Number.NaN : highest;
  }

  result(): LoadWindow {
    return { meanRps: this.meanRps, highestRps: this.highestRps, present: this.#totals[PRESENT] as number };
  }

  #add(sum: number, seconds: number): void {
    this.#totals[SUM] = (this.#totals[SUM] as number) + sum;
    this.#totals[PRESENT] = (this.#totals[PRESENT] as number) + seconds;
  }

  #raise(rateRps: number): void {
    if (rateRps > (this.#totals[HIGHEST] as number)) this.#totals[HIGHEST] = rateRps;
  }
}
