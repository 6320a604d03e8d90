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
  #needsHighest = true;

  /** @param needsHighest false: of cells the mean alone is added, so that what they keep of their highest second need not be read. */
  reset(seconds: number, needsHighest = true): void {
    this.#seconds = seconds;
    this.#needsHighest = needsHighest;
    this.#totals[SUM] = 0;
    this.#totals[PRESENT] = 0;
    this.#totals[HIGHEST] = Number.NEGATIVE_INFINITY;
  }

  /** The `count` seconds of a ring from the place `first` on; NaN: it has no sample. */
  addSeconds(ring: Float32Array, first: number, count: number): void {
    let [sum, present, highest] = [this.sum, this.present, this.highest];
    for (let k = 0, slot = first; k < count; k++, slot = slot + 1 === ring.length ? 0 : slot + 1) {
      const rateRps = ring[slot] as number;
      if (Number.isNaN(rateRps)) continue;
      sum += rateRps;
      present += 1;
      if (rateRps > highest) highest = rateRps;
    }
    this.set(sum, present, highest);
  }

  /** Of all rates, each times the seconds that it stands for, so far. */
  get sum(): number {
    return this.#totals[SUM] as number;
  }

  get present(): number {
    return this.#totals[PRESENT] as number;
  }

  /** −∞: none so far. */
  get highest(): number {
    return this.#totals[HIGHEST] as number;
  }

  /** What it is with all that was added to what it was. */
  set(sum: number, present: number, highest: number): void {
    this.#totals[SUM] = sum;
    this.#totals[PRESENT] = present;
    this.#totals[HIGHEST] = highest;
  }

  /**
   * How much of a cell must lie in the window so that its highest second counts. Where in the cell that was is not known: half of the cell, or
   * of the window, will do. +∞: the highest second is not asked for.
   */
  leastOverlap(cellSeconds: number): number {
    return this.#needsHighest ? Math.min(cellSeconds, this.#seconds) / 2 : Number.POSITIVE_INFINITY;
  }

  get meanRps(): number {
    return this.sum / this.present;
  }

  get highestRps(): number {
    return this.highest === Number.NEGATIVE_INFINITY ? Number.NaN : this.highest;
  }

  result(): LoadWindow {
    return { meanRps: this.meanRps, highestRps: this.highestRps, present: this.present };
  }
}
