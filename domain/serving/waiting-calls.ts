import type { Call, ExpectedCall } from "./ladder.ts";

/** The last calls, of this number, say what one more would be like. */
const RECENT_CALLS = 32;

/** The calls that wait at one replica, in the order of their soft deadlines and, where these are equal, of their arrival. */
export class WaitingCalls<T extends Call> {
  readonly #calls: T[] = [];
  readonly #recent: ExpectedCall[] = [];
  #rows = 0;

  get calls(): readonly T[] {
    return this.#calls;
  }

  /** Rows that wait. */
  get rows(): number {
    return this.#rows;
  }

  add(call: T, nowMs: number): void {
    this.#calls.splice(this.#placeFor(call), 0, call);
    this.#rows += call.rows;
    this.#recent.push({ rows: call.rows, softAfterMs: call.softMs - nowMs });
    if (this.#recent.length > RECENT_CALLS) this.#recent.shift();
  }

  /** Takes rows of a call for a batch of `variant`, which the call keeps for its other rows. */
  take(call: T, rows: number, variant: string): void {
    call.variant = variant;
    call.rows -= rows;
    this.#rows -= rows;
    if (call.rows === 0) this.#calls.splice(this.#calls.indexOf(call), 1);
  }

  /** Takes a call out that will not be served; false: it does not wait. */
  remove(call: T): boolean {
    const at = this.#calls.indexOf(call);
    if (at < 0) return false;
    this.#calls.splice(at, 1);
    this.#rows -= call.rows;
    return true;
  }

  /** As large as the largest of the recent calls, and as urgent as most of them; null where none came yet. */
  get expected(): ExpectedCall | null {
    const { length } = this.#recent;
    if (length === 0) return null;
    const times = this.#recent.map(({ softAfterMs }) => softAfterMs).toSorted((a, b) => a - b);
    const rows = Math.max(...this.#recent.map(call => call.rows));
    return { rows, softAfterMs: times[length >>> 1] as number };
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
