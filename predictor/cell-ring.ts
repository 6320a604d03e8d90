import { decodeRate, decodeRise, encodeRate, encodeRise, NO_RATE } from "./rate-code.ts";
import type { WindowSum } from "./window-sum.ts";

/** Room that there is at first; it is doubled when it is full. */
const FIRST_ROOM = 64;

/** `fine`: both rates in 16 bits. `coarse`: the highest in 8, to 1.6 % of 1 + rate, and never below the mean. */
export type CellGrain = "fine" | "coarse";

/**
 * Mean and highest rate of the last `length` cells of `cellSeconds` seconds, 4 bytes a cell, 3 where they are coarse; there is room for
 * more of them as they come. Cell k is that of the seconds up to k · cellSeconds; what is missing is NaN.
 */
export class CellRing {
  readonly cellSeconds: number;
  readonly #length: number;
  readonly #isCoarse: boolean;
  #means: Uint16Array;
  /** Where it is coarse, how far it is above the mean. */
  #highest: Uint8Array | Uint16Array;
  /** The oldest cell that was set and is kept; +∞ when there is none. */
  #first = Number.POSITIVE_INFINITY;
  #newest = Number.NEGATIVE_INFINITY;

  constructor(cellSeconds: number, length: number, grain: CellGrain = "fine") {
    this.cellSeconds = cellSeconds;
    this.#length = length;
    this.#isCoarse = grain === "coarse";
    this.#means = new Uint16Array(Math.min(length, FIRST_ROOM));
    this.#highest = this.#highestOf(this.#means.length);
  }

  /** The number of the newest cell; −∞ when there is none. */
  get newest(): number {
    return this.#newest;
  }

  /** The number of the oldest cell that is kept. */
  get oldest(): number {
    return this.#newest - this.#length + 1;
  }

  meanAt(cell: number): number {
    return this.#isKept(cell) ? decodeRate(this.#means[this.#slot(cell)] ?? NO_RATE) : Number.NaN;
  }

  highestAt(cell: number): number {
    return this.#isKept(cell) ? this.#highestIn(this.#slot(cell)) : Number.NaN;
  }

  /** Cells between the newest so far and this one are missing. */
  set(cell: number, meanRps: number, highestRps: number): void {
    if (cell < this.oldest) return;
    const [first, newest] = [this.#first, this.#newest];
    this.#newest = Math.max(newest, cell);
    this.#first = newest < this.oldest ? cell : Math.max(Math.min(first, cell), this.oldest);
    this.#makeRoom(first, newest);
    const [from, to] = cell > newest ? [Math.max(newest + 1, this.#first), cell] : [cell + 1, first];
    for (let k = from; k < to; k++) this.#write(k, NO_RATE, 0);
    const [mean, highest] = [encodeRate(meanRps), encodeRate(highestRps)];
    this.#write(cell, mean, this.#isCoarse ? encodeRise(mean, highest) : highest);
  }

  /** Cells up to this one are missing unless they are known. */
  pass(cell: number): void {
    if (cell > this.#newest) this.set(cell, Number.NaN, Number.NaN);
  }

  /** Adds the cells that the seconds `from` to `to` touch, and of them what `window` is made of. */
  collect(window: WindowSum, from: number, to: number): void {
    const { cellSeconds } = this;
    const means = this.#means;
    const first = Math.max(Math.ceil(from / cellSeconds), this.#first);
    const last = Math.min(Math.ceil(to / cellSeconds), this.#newest);
    const leastOverlap = window.leastOverlap(cellSeconds);
    let { sum, present, highest } = window;
    for (let k = first, slot = this.#slot(first); k <= last; k++, slot = slot + 1 === means.length ? 0 : slot + 1) {
      const mean = decodeRate(means[slot] as number);
      if (Number.isNaN(mean)) continue;
      const end = k * cellSeconds;
      const overlap = Math.min(to, end) - Math.max(from, end - cellSeconds + 1) + 1;
      sum += overlap * mean;
      present += overlap;
      if (overlap < leastOverlap) continue;
      const peak = this.#highestIn(slot);
      if (peak > highest) highest = peak;
    }
    window.set(sum, present, highest);
  }

  #isKept(cell: number): boolean {
    return cell <= this.#newest && cell >= this.#first;
  }

  /** Of the cells so far, `first` to `newest`, those that are kept have their places in the larger ring. */
  #makeRoom(first: number, newest: number): void {
    const cells = this.#newest - this.#first + 1;
    const [means, highest] = [this.#means, this.#highest];
    const room = means.length;
    if (cells <= room) return;
    this.#means = new Uint16Array(Math.min(this.#length, Math.max(2 * room, cells)));
    this.#highest = this.#highestOf(this.#means.length);
    for (let k = Math.max(first, this.#first); k <= newest; k++) {
      const slot = slotOf(k, room);
      this.#write(k, means[slot] as number, highest[slot] as number);
    }
  }

  #highestOf(room: number): Uint8Array | Uint16Array {
    return this.#isCoarse ? new Uint8Array(room) : new Uint16Array(room);
  }

  /** In rps. */
  #highestIn(slot: number): number {
    const highest = this.#highest[slot] as number;
    return decodeRate(this.#isCoarse ? decodeRise(this.#means[slot] as number, highest) : highest);
  }

  #write(cell: number, mean: number, highest: number): void {
    const slot = this.#slot(cell);
    this.#means[slot] = mean;
    this.#highest[slot] = highest;
  }

  #slot(cell: number): number {
    return slotOf(cell, this.#means.length);
  }
}

function slotOf(cell: number, room: number): number {
  const rest = cell % room;
  return rest < 0 ? rest + room : rest;
}
