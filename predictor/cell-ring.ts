import { decodeRate, encodeRate, NO_RATE } from "./rate-code.ts";
import type { WindowSum } from "./window-sum.ts";

/**
 * Mean and highest rate of the last `length` cells of `cellSeconds` seconds, 4 bytes a cell. Cell k is that of the seconds up to
 * k · cellSeconds; what is missing is NaN.
 */
export class CellRing {
  readonly cellSeconds: number;
  readonly #means: Uint16Array;
  readonly #highest: Uint16Array;
  #newest = Number.NEGATIVE_INFINITY;

  constructor(cellSeconds: number, length: number) {
    this.cellSeconds = cellSeconds;
    this.#means = new Uint16Array(length);
    this.#highest = new Uint16Array(length);
  }

  /** The number of the newest cell; −∞ when there is none. */
  get newest(): number {
    return this.#newest;
  }

  /** The number of the oldest cell that there is room for. */
  get oldest(): number {
    return this.#newest - this.#means.length + 1;
  }

  meanAt(cell: number): number {
    return this.#isKept(cell) ? decodeRate(this.#means[this.#slot(cell)] ?? NO_RATE) : Number.NaN;
  }

  highestAt(cell: number): number {
    return this.#isKept(cell) ? decodeRate(this.#highest[this.#slot(cell)] ?? NO_RATE) : Number.NaN;
  }

  /** Cells between the newest so far and this one are missing. */
  set(cell: number, meanRps: number, highestRps: number): void {
    if (cell <= this.#newest - this.#means.length) return;
    const skipped = Math.min(cell - this.#newest - 1, this.#means.length);
    for (let k = cell - skipped; k < cell; k++) this.#write(k, NO_RATE, NO_RATE);
    this.#write(cell, encodeRate(meanRps), encodeRate(highestRps));
    this.#newest = Math.max(this.#newest, cell);
  }

  /** Cells up to this one are missing unless they are known. */
  pass(cell: number): void {
    if (cell > this.#newest) this.set(cell, Number.NaN, Number.NaN);
  }

  /** Adds the cells that the seconds `from` to `to` touch, and of them what `window` is made of. */
  collect(window: WindowSum, from: number, to: number): void {
    const length = this.#means.length;
    const first = Math.max(Math.ceil(from / this.cellSeconds), this.oldest);
    const last = Math.min(Math.ceil(to / this.cellSeconds), this.#newest);
    for (let k = first, slot = this.#slot(first); k <= last; k++, slot = slot + 1 === length ? 0 : slot + 1) {
      const end = k * this.cellSeconds;
      const overlap = Math.min(to, end) - Math.max(from, end - this.cellSeconds + 1) + 1;
      const mean = decodeRate(this.#means[slot] as number);
      window.addCell(overlap, this.cellSeconds, mean, decodeRate(this.#highest[slot] as number));
    }
  }

  #isKept(cell: number): boolean {
    return cell <= this.#newest && cell >= this.oldest;
  }

  #write(cell: number, mean: number, highest: number): void {
    const slot = this.#slot(cell);
    this.#means[slot] = mean;
    this.#highest[slot] = highest;
  }

  #slot(cell: number): number {
    const rest = cell % this.#means.length;
    return rest < 0 ? rest + this.#means.length : rest;
  }
}
