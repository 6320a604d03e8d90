import type { Call, ExpectedCall } from "./ladder.ts";
import { RecentValues } from "./recent-values.ts";

/** The last calls, of this number, say what one more would be like. */
const RECENT_CALLS = 32;

/** The calls that wait at one replica, in the order of their soft deadlines and, where these are equal, of their arrival. */
export class WaitingCalls<T extends Call> {
  readonly #calls: T[] = [];
  readonly #recentRows = new RecentValues(RECENT_CALLS);
  readonly #recentSoftAfterMs = new RecentValues(RECENT_CALLS);
  #rows = 0;

  get calls(): readonly T[] {
    return this.#calls;
  }

  /** Rows that wait. */
  get rows(): number {
    return this.#rows;
  }

  add(call: T, nowMs: number): void {
    this.#insert(call);
    this.#rows += call.rows;
    this.#recentRows.add(call.rows);
    this.#recentSoftAfterMs.add(call.softMs - nowMs);
  }

  /** Takes rows of a call for a batch of `variant`, which the call keeps for its other rows. */
  take(call: T, rows: number, variant: string): void {
    call.variant = variant;
    call.rows -= rows;
    this.#rows -= rows;
    if (call.rows === 0) this.#removeAt(this.#calls.indexOf(call));
  }

  /** Lets rows wait again that a batch took, but did not serve. */
  giveBack(call: T, rows: number): void {
    if (call.rows === 0) this.#insert(call);
    call.rows += rows;
    this.#rows += rows;
  }

  /** Takes a call out that will not be served; false: it does not wait. */
  remove(call: T): boolean {
    const at = this.#calls.indexOf(call);
    if (at < 0) return false;
    this.#removeAt(at);
    this.#rows -= call.rows;
    return true;
  }

  /** One more call: as large as the largest of the recent ones, and as urgent as most of them; null where none came yet. */
  expectCall(nowMs: number): ExpectedCall | null {
    const rows = this.#recentRows.greatest;
    const softAfterMs = this.#recentSoftAfterMs.median;
    return rows === undefined || softAfterMs === undefined ? null : { rows, softAfterMs, nowMs };
  }

  #insert(call: T): void {
    const last = this.#calls.at(-1);
    if (last === undefined || last.softMs <= call.softMs) this.#calls.push(call);
    else this.#calls.splice(this.#placeFor(call), 0, call);
  }

  #removeAt(at: number): void {
    if (at === 0) this.#calls.shift();
    else this.#calls.splice(at, 1);
  }

  #placeFor({ softMs }: T): number {
    let low = 0;
    let high = this.#calls.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#calls[middle] as T).softMs <= softMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
