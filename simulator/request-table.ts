const FIRST_SIZE = 1024;
/** No variant served the stage, since it had nothing to do. */
export const NO_VARIANT = -1;

/** The requests that are under way, as columns: a slot is used again when its request and all its chunks are gone. */
export class RequestTable {
  readonly #stages: number;
  arrivedMs = new Float64Array(FIRST_SIZE);
  deadlineMs = new Float64Array(FIRST_SIZE);
  /** 1: it was dropped or lost, and what is left of it is thrown away. */
  failed = new Uint8Array(FIRST_SIZE);
  /** 1: some of it was sent once more. */
  retried = new Uint8Array(FIRST_SIZE);
  /** 1: it is over. */
  ended = new Uint8Array(FIRST_SIZE);
  /** Of all chunks at replicas. */
  chunks = new Int32Array(FIRST_SIZE);
  stagesLeft = new Int32Array(FIRST_SIZE);
  // By slot and stage.
  rows: Int32Array;
  rowsLeft: Int32Array;
  variant: Int16Array;
  waitsFor: Int16Array;
  readonly #free: number[] = [];
  #used = 0;
  #live = 0;

  constructor(stages: number) {
    this.#stages = stages;
    this.rows = new Int32Array(FIRST_SIZE * stages);
    this.rowsLeft = new Int32Array(FIRST_SIZE * stages);
    this.variant = new Int16Array(FIRST_SIZE * stages);
    this.waitsFor = new Int16Array(FIRST_SIZE * stages);
  }

  /** Requests that are not over. */
  get live(): number {
    return this.#live;
  }

  /** @param waitsFor of each stage, on how many others it depends. */
  open(arrivedMs: number, deadlineMs: number, waitsFor: readonly number[]): number {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot === this.arrivedMs.length) this.#grow();
    this.arrivedMs[slot] = arrivedMs;
    this.deadlineMs[slot] = deadlineMs;
    this.failed[slot] = 0;
    this.ended[slot] = 0;
    this.retried[slot] = 0;
    this.chunks[slot] = 0;
    this.stagesLeft[slot] = this.#stages;
    const from = slot * this.#stages;
    for (let s = 0; s < this.#stages; s++) {
      this.rows[from + s] = 0;
      this.rowsLeft[from + s] = 0;
      this.variant[from + s] = NO_VARIANT;
      this.waitsFor[from + s] = waitsFor[s] as number;
    }
    this.#live += 1;
    return slot;
  }

  /** Its outcome is known. */
  end(slot: number): void {
    this.ended[slot] = 1;
    this.#live -= 1;
    this.#release(slot);
  }

  /** One of its chunks is gone from a replica. */
  leave(slot: number): void {
    this.chunks[slot] = (this.chunks[slot] as number) - 1;
    this.#release(slot);
  }

  #release(slot: number): void {
    if (this.ended[slot] === 1 && this.chunks[slot] === 0) this.#free.push(slot);
  }

  #grow(): void {
    const size = 2 * this.arrivedMs.length;
    this.arrivedMs = copied(new Float64Array(size), this.arrivedMs);
    this.deadlineMs = copied(new Float64Array(size), this.deadlineMs);
    this.failed = copied(new Uint8Array(size), this.failed);
    this.ended = copied(new Uint8Array(size), this.ended);
    this.retried = copied(new Uint8Array(size), this.retried);
    this.chunks = copied(new Int32Array(size), this.chunks);
    this.stagesLeft = copied(new Int32Array(size), this.stagesLeft);
    this.rows = copied(new Int32Array(size * this.#stages), this.rows);
    this.rowsLeft = copied(new Int32Array(size * this.#stages), this.rowsLeft);
    this.variant = copied(new Int16Array(size * this.#stages), this.variant);
    this.waitsFor = copied(new Int16Array(size * this.#stages), this.waitsFor);
  }
}

function copied<T extends Float64Array | Uint8Array | Int16Array | Int32Array>(larger: T, before: T): T {
  larger.set(before);
  return larger;
}
