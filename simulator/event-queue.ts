/** What happens at a time of the simulation, to what has the number `id`. */
export const EVENT = {
  arrival: 0,
  batchDone: 1,
  podStarted: 2,
  loaded: 3,
  autoscale: 4,
  tick: 5,
  selfCheck: 6,
  podKilled: 7,
  nodeLost: 8,
  nodeBack: 9,
} as const;
export type EventKind = (typeof EVENT)[keyof typeof EVENT];

const FIRST_SIZE = 256;
/** Children of an entry: a flatter heap than one of pairs, and those of one entry lie side by side. */
const CHILDREN_BITS = 2;
const CHILDREN = 1 << CHILDREN_BITS;
/** What happens, and to what, are one number: kinds need so many bits. */
const KIND_BITS = 4;

/** Events by time; those of one time in the order in which they were added, so that the same seed gives the same run. */
export class EventQueue {
  /** Of the event that `next` took. */
  atMs = 0;
  kind: EventKind = EVENT.tick;
  id = 0;
  #length = 0;
  #added = 0;
  // The next arrival has a place beside the heap: there is nearly always one, and it is the earliest of all in a third of cases.
  #hasArrival = false;
  #arrivalMs = 0;
  #arrivalOrder = 0;
  #arrivalId = 0;
  #times = new Float64Array(FIRST_SIZE);
  #orders = new Float64Array(FIRST_SIZE);
  #what = new Int32Array(FIRST_SIZE);

  add(atMs: number, kind: EventKind, id: number): void {
    const order = this.#added++;
    if (kind === EVENT.arrival && !this.#hasArrival) {
      this.#hasArrival = true;
      this.#arrivalMs = atMs;
      this.#arrivalOrder = order;
      this.#arrivalId = id;
      return;
    }
    if (this.#length === this.#times.length) this.#grow();
    let at = this.#length++;
    // Sifted up as a hole: an entry is written once.
    while (at > 0) {
      const parent = (at - 1) >> CHILDREN_BITS;
      const parentMs = this.#times[parent] as number;
      if (parentMs < atMs || (parentMs === atMs && (this.#orders[parent] as number) < order)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#write(at, atMs, order, (id << KIND_BITS) | kind);
  }

  /** Takes the earliest event into `atMs`, `kind` and `id`; false: there is none. */
  next(): boolean {
    if (this.#hasArrival && this.#isArrivalFirst()) {
      this.atMs = this.#arrivalMs;
      this.kind = EVENT.arrival;
      this.id = this.#arrivalId;
      this.#hasArrival = false;
      return true;
    }
    if (this.#length === 0) return false;
    this.atMs = this.#times[0] as number;
    const what = this.#what[0] as number;
    this.kind = (what & ((1 << KIND_BITS) - 1)) as EventKind;
    this.id = what >> KIND_BITS;
    const last = --this.#length;
    if (last > 0) this.#siftDown(last);
    return true;
  }

  #isArrivalFirst(): boolean {
    if (this.#length === 0) return true;
    const firstMs = this.#times[0] as number;
    return (
      this.#arrivalMs < firstMs || (this.#arrivalMs === firstMs && this.#arrivalOrder < (this.#orders[0] as number))
    );
  }

  /** Puts the entry `from` where the first one was. */
  #siftDown(from: number): void {
    const times = this.#times;
    const orders = this.#orders;
    const length = this.#length;
    const atMs = times[from] as number;
    const order = orders[from] as number;
    const what = this.#what[from] as number;
    let at = 0;
    for (let first = 1; first < length; first = (at << CHILDREN_BITS) + 1) {
      const end = Math.min(first + CHILDREN, length);
      let least = first;
      let leastMs = times[first] as number;
      for (let child = first + 1; child < end; child++) {
        const childMs = times[child] as number;
        if (childMs < leastMs || (childMs === leastMs && (orders[child] as number) < (orders[least] as number))) {
          least = child;
          leastMs = childMs;
        }
      }
      if (atMs < leastMs || (atMs === leastMs && order < (orders[least] as number))) break;
      this.#move(least, at);
      at = least;
    }
    this.#write(at, atMs, order, what);
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] as number;
    this.#orders[to] = this.#orders[from] as number;
    this.#what[to] = this.#what[from] as number;
  }

  #write(at: number, atMs: number, order: number, what: number): void {
    this.#times[at] = atMs;
    this.#orders[at] = order;
    this.#what[at] = what;
  }

  #grow(): void {
    const size = 2 * this.#times.length;
    const grown = <T extends Float64Array | Int32Array>(larger: T, before: T): T => {
      larger.set(before);
      return larger;
    };
    this.#times = grown(new Float64Array(size), this.#times);
    this.#orders = grown(new Float64Array(size), this.#orders);
    this.#what = grown(new Int32Array(size), this.#what);
  }
}
