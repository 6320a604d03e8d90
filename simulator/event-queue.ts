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

/** Events by time; those of one time in the order in which they were added, so that the same seed gives the same run. */
export class EventQueue {
  /** Of the event that `next` took. */
  atMs = 0;
  kind: EventKind = EVENT.tick;
  id = 0;
  #length = 0;
  #added = 0;
  #times = new Float64Array(FIRST_SIZE);
  #orders = new Float64Array(FIRST_SIZE);
  #kinds = new Uint8Array(FIRST_SIZE);
  #ids = new Int32Array(FIRST_SIZE);

  get length(): number {
    return this.#length;
  }

  add(atMs: number, kind: EventKind, id: number): void {
    if (this.#length === this.#times.length) this.#grow();
    let at = this.#length++;
    const order = this.#added++;
    // Sifted up as a hole: an entry is written once.
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const parentMs = this.#times[parent] as number;
      if (parentMs < atMs || (parentMs === atMs && (this.#orders[parent] as number) < order)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#write(at, atMs, order, kind, id);
  }

  /** Takes the earliest event into `atMs`, `kind` and `id`; false: there is none. */
  next(): boolean {
    if (this.#length === 0) return false;
    this.atMs = this.#times[0] as number;
    this.kind = this.#kinds[0] as EventKind;
    this.id = this.#ids[0] as number;
    const last = --this.#length;
    if (last > 0) this.#siftDown(last);
    return true;
  }

  /** Puts the entry `from` where the first one was. */
  #siftDown(from: number): void {
    const atMs = this.#times[from] as number;
    const order = this.#orders[from] as number;
    const kind = this.#kinds[from] as EventKind;
    const id = this.#ids[from] as number;
    let at = 0;
    for (let child = 1; child < this.#length; child = 2 * at + 1) {
      if (child + 1 < this.#length && this.#isBefore(child + 1, child)) child += 1;
      const childMs = this.#times[child] as number;
      if (atMs < childMs || (atMs === childMs && order < (this.#orders[child] as number))) break;
      this.#move(child, at);
      at = child;
    }
    this.#write(at, atMs, order, kind, id);
  }

  #isBefore(a: number, b: number): boolean {
    const [aMs, bMs] = [this.#times[a] as number, this.#times[b] as number];
    return aMs < bMs || (aMs === bMs && (this.#orders[a] as number) < (this.#orders[b] as number));
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] as number;
    this.#orders[to] = this.#orders[from] as number;
    this.#kinds[to] = this.#kinds[from] as number;
    this.#ids[to] = this.#ids[from] as number;
  }

  #write(at: number, atMs: number, order: number, kind: EventKind, id: number): void {
    this.#times[at] = atMs;
    this.#orders[at] = order;
    this.#kinds[at] = kind;
    this.#ids[at] = id;
  }

  #grow(): void {
    const size = 2 * this.#times.length;
    const grown = <T extends Float64Array | Uint8Array | Int32Array>(larger: T, before: T): T => {
      larger.set(before);
      return larger;
    };
    this.#times = grown(new Float64Array(size), this.#times);
    this.#orders = grown(new Float64Array(size), this.#orders);
    this.#kinds = grown(new Uint8Array(size), this.#kinds);
    this.#ids = grown(new Int32Array(size), this.#ids);
  }
}
