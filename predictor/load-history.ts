import { CellRing } from "./cell-ring.ts";
import { type LoadWindow, WindowSum } from "./window-sum.ts";

/** Kept resolution of single seconds: what a snapshot writes is exactly what the ring holds. */
const STEPS_PER_RPS = 100;
/** Single seconds that a history keeps. */
export const SECONDS_KEPT = 600;
const TEN = 10;
const TENS_KEPT = (2 * 86_400) / TEN;
const MINUTE = 60;
const MINUTES_KEPT = (21 * 86_400) / MINUTE;
/** So long a window is known well enough by its minutes. */
const LONG_WINDOW = 300;
/** With fewer of its seconds known the highest rate of a cell would be too low. */
const LEAST_PRESENT_SHARE = 0.8;

/** Ten seconds of load; NaN: missing. */
export interface LoadCell {
  /** It is that of the seconds up to 10 · `index`. */
  readonly index: number;
  readonly meanRps: number;
  readonly highestRps: number;
}

/**
 * The load of the last three weeks in three tiers: single seconds for 10 minutes, mean and highest second of every 10 seconds for
 * 2 days, of every minute for 3 weeks, there to 1.6 %; at most 165 KiB. What is missing is NaN, never 0. Seconds are numbered by the time of the
 * first sample (Unix time) and then counted as they pass, so that a clock that is set back or forth moves nothing here.
 */
export class LoadHistory {
  readonly #seconds = new Float32Array(SECONDS_KEPT).fill(Number.NaN);
  readonly #tens = new CellRing(TEN, TENS_KEPT);
  readonly #minutes = new CellRing(MINUTE, MINUTES_KEPT, "coarse");
  readonly #window = new WindowSum();
  #second = 0;
  /** From this one on single seconds are known; before it only cells are. */
  #firstSecond = Number.POSITIVE_INFINITY;

  /** The number of the newest second; 0 when there is none. */
  get second(): number {
    return this.#second;
  }

  get isEmpty(): boolean {
    return this.#firstSecond === Number.POSITIVE_INFINITY && this.#tens.newest === Number.NEGATIVE_INFINITY;
  }

  /** The next second has this number; what lies between is missing. Where later ones are known already, they go on. */
  startAt(second: number): void {
    if (this.isEmpty) this.#second = second - 1;
    else if (second - 1 > this.#second) this.skip(second - 1 - this.#second);
  }

  push(rateRps: number): void {
    this.#advance(Math.round(rateRps * STEPS_PER_RPS) / STEPS_PER_RPS);
  }

  /** Lets `seconds` pass without samples. */
  skip(seconds: number): void {
    // Whatever is under way is over after a minute; the rest of a long gap is passed at once.
    const steps = seconds > SECONDS_KEPT ? MINUTE : seconds;
    for (let k = 0; k < steps; k++) this.#advance(Number.NaN);
    if (steps === seconds) return;
    this.#second += seconds - steps;
    this.#seconds.fill(Number.NaN);
    this.#tens.pass(Math.floor(this.#second / TEN));
    this.#minutes.pass(Math.floor(this.#second / MINUTE));
  }

  /** Ten seconds at once; what lies between is missing. Cells that are not later than all before are left out. */
  pushCell(cell: LoadCell): void {
    if (!this.isEmpty && cell.index * TEN <= this.#second) return;
    if (this.#firstSecond !== Number.POSITIVE_INFINITY) this.#seconds.fill(Number.NaN);
    this.#firstSecond = Number.POSITIVE_INFINITY;
    const open = Math.ceil(this.#second / MINUTE);
    const isOver = this.#second % MINUTE !== 0 && cell.index * TEN > open * MINUTE;
    // The last cells of that minute are missing.
    if (isOver) this.#closeMinute(open);
    this.#second = cell.index * TEN;
    this.#tens.set(cell.index, cell.meanRps, cell.highestRps);
    if (this.#second % MINUTE === 0) this.#closeMinute(this.#second / MINUTE);
  }

  /** The rate `age` seconds before the newest; NaN when it is missing or no longer kept. */
  rateAt(age: number): number {
    if (!(age >= 0 && age < SECONDS_KEPT)) return Number.NaN;
    return this.#rateOf(this.#second - age);
  }

  /** The rates of the newest seconds, the newest first; NaN where they are missing. @param into of 600 at most. */
  newestRates(into: Float64Array): void {
    let slot = slotOf(this.#second);
    for (let age = 0; age < into.length; age++) {
      into[age] = this.#seconds[slot] as number;
      slot = slot === 0 ? SECONDS_KEPT - 1 : slot - 1;
    }
  }

  /**
   * `seconds` seconds, the newest of them `age` seconds back: single seconds as far as they are kept, before them minutes for windows
   * of five minutes and more, else the finest tier that reaches so far.
   */
  window(age: number, seconds: number): LoadWindow {
    this.#sum(age, seconds);
    return this.#window.result();
  }

  /** Of that window, without an object for it: a forecast asks for hundreds. NaN when none of its seconds is known. */
  meanOf(age: number, seconds: number): number {
    this.#sum(age, seconds, false);
    return this.#window.meanRps;
  }

  /** The highest second of that window; NaN when none is known. */
  highestOf(age: number, seconds: number): number {
    this.#sum(age, seconds);
    return this.#window.highestRps;
  }

  /** Ten-second cells later than the one of this index that are over, oldest first; missing ones are left out. */
  cellsAfter(index: number): LoadCell[] {
    const cells: LoadCell[] = [];
    if (this.#tens.newest === Number.NEGATIVE_INFINITY) return cells;
    for (let k = Math.max(index + 1, this.#tens.oldest); k <= this.#tens.newest; k++) {
      const meanRps = this.#tens.meanAt(k);
      if (!Number.isNaN(meanRps)) cells.push({ index: k, meanRps, highestRps: this.#tens.highestAt(k) });
    }
    return cells;
  }

  /** The highest rates of the ten-second cells up to this index, the last of them last; NaN: missing. */
  highestUpTo(index: number, into: Float64Array): void {
    const first = index - into.length + 1;
    for (let i = 0; i < into.length; i++) into[i] = this.#tens.highestAt(first + i);
  }

  /** The same of their means. */
  meanUpTo(index: number, into: Float64Array): void {
    const first = index - into.length + 1;
    for (let i = 0; i < into.length; i++) into[i] = this.#tens.meanAt(first + i);
  }

  /** Single seconds, oldest first, without the missing ones before the first sample. */
  toRates(): (number | null)[] {
    const rates: (number | null)[] = [];
    for (let age = SECONDS_KEPT - 1; age >= 0; age--) {
      const rate = this.rateAt(age);
      if (!Number.isNaN(rate)) rates.push(Math.round(rate * STEPS_PER_RPS) / STEPS_PER_RPS);
      else if (rates.length > 0) rates.push(null);
    }
    return rates;
  }

  /** A history whose newest second has the number `second`: ten-second cells, rising, and the newest single seconds. */
  static from(rates: readonly (number | null)[], second: number, cells: Iterable<LoadCell> = []): LoadHistory {
    const history = new LoadHistory();
    for (const cell of cells) history.pushCell(cell);
    if (rates.length > 0) history.#second = second - rates.length;
    for (const rate of rates) history.#advance(rate ?? Number.NaN);
    return history;
  }

  #sum(age: number, seconds: number, needsHighest = true): void {
    const window = this.#window;
    window.reset(seconds, needsHighest);
    const to = this.#second - age;
    const from = to - seconds + 1;
    const firstSecond = Math.max(this.#firstSecond, this.#second - SECONDS_KEPT + 1);
    const first = Math.max(from, firstSecond);
    if (first <= to) window.addSeconds(this.#seconds, slotOf(first), to - first + 1);
    if (from >= firstSecond) return;
    const last = Math.min(to, firstSecond - 1);
    const firstInTens = seconds >= LONG_WINDOW ? last + 1 : (this.#tens.oldest - 1) * TEN + 1;
    if (last >= firstInTens) this.#tens.collect(window, Math.max(from, firstInTens), last);
    if (from < firstInTens) this.#minutes.collect(window, from, Math.min(last, firstInTens - 1));
  }

  #rateOf(second: number): number {
    return this.#seconds[slotOf(second)] ?? Number.NaN;
  }

  #advance(rateRps: number): void {
    this.#second += 1;
    this.#seconds[slotOf(this.#second)] = rateRps;
    if (!Number.isNaN(rateRps)) this.#firstSecond = Math.min(this.#firstSecond, this.#second);
    if (this.#second % TEN === 0) this.#closeTen(this.#second / TEN);
    if (this.#second % MINUTE === 0) this.#closeMinute(this.#second / MINUTE);
  }

  #closeTen(cell: number): void {
    // What was restored is kept where single seconds only tell the end of it.
    if (this.#second - TEN + 1 < this.#firstSecond && cell <= this.#tens.newest) return;
    const window = this.#window;
    window.reset(TEN);
    window.addSeconds(this.#seconds, slotOf(this.#second - TEN + 1), TEN);
    const { meanRps, highestRps, present } = window.result();
    const isKnown = present >= LEAST_PRESENT_SHARE * TEN;
    this.#tens.set(cell, isKnown ? meanRps : Number.NaN, isKnown ? highestRps : Number.NaN);
  }

  /** From its cells and not from its seconds, so that both ways to build a history give the same. */
  #closeMinute(minute: number): void {
    const window = this.#window;
    window.reset(MINUTE);
    this.#tens.collect(window, (minute - 1) * MINUTE + 1, minute * MINUTE);
    const { meanRps, highestRps, present } = window.result();
    const isKnown = present >= LEAST_PRESENT_SHARE * MINUTE;
    this.#minutes.set(minute, isKnown ? meanRps : Number.NaN, isKnown ? highestRps : Number.NaN);
  }
}

function slotOf(second: number): number {
  const rest = second % SECONDS_KEPT;
  return rest < 0 ? rest + SECONDS_KEPT : rest;
}
