/** What a window of seconds held. */
export interface LoadWindow {
  /** Over the seconds that have a sample; NaN when none has. */
  readonly meanRps: number;
  /** Of one second; NaN when none has a sample. */
  readonly highestRps: number;
  /** How many seconds have a sample. */
  readonly present: number;
}

/** Adds up a window from single seconds and from cells of several. */
export class WindowSum {
  readonly #seconds: number;
  #sum = 0;
  #present = 0;
  #highest = Number.NaN;

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** NaN: it has no sample. */
  addSecond(rateRps: number): void {
    if (Number.isNaN(rateRps)) return;
    this.#sum += rateRps;
    this.#present += 1;
    if (!(rateRps <= this.#highest)) this.#highest = rateRps;
  }

  /**
   * A cell of which `overlap` seconds lie in the window. Where in the cell its highest second was is not known: it counts when at
   * least half of the cell, or of the window, lies in the other.
   */
  addCell(overlap: number, cellSeconds: number, meanRps: number, highestRps: number): void {
    this.#sum += overlap * meanRps;
    this.#present += overlap;
    if (2 * overlap >= Math.min(cellSeconds, this.#seconds) && !(highestRps <= this.#highest))
      this.#highest = highestRps;
  }

  result(): LoadWindow {
    return { meanRps: this.#sum / this.#present, highestRps: this.#highest, present: this.#present };
  }
}
