const FIRST_SIZE = 1024;
/** No variant served the stage, since it had nothing to do. */
export const NO_VARIANT = -1;
/** Several variants served rows of the stage. */
export const MIXED = -2;

/** The requests that are under way, as columns: a slot is used again when its request and all its calls are gone. */
export class RequestTable {
  readonly #stages: number;
  arrivedMs = new Float64Array(FIRST_SIZE);
  deadlineMs = new Float64Array(FIRST_SIZE);
  /** 1: it was dropped or lost, and what is left of it is thrown away. */
  failed = new Uint8Array(FIRST_SIZE);
  /** 1: it is over. */
  ended = new Uint8Array(FIRST_SIZE);
  /** Of all its calls, at replicas and on their way. */
  calls = new Int32Array(FIRST_SIZE);
  stagesLeft = new Int32Array(FIRST_SIZE);
  // By slot and stage.
  rows: Int32Array;
  rowsLeft: Int32Array;
  /** Place of the variant that served it, NO_VARIANT, or MIXED. */
  variant: Int16Array;
  waitsFor: Int16Array;
  /** Rows by place of the variant, for each slot and stage that is MIXED. */
  readonly #mixes = new Map<number, Int32Array>();
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
    this.calls[slot] = 0;
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

  /** A variant served rows of a stage. @param variants that the stage has. */
  serve(slot: number, stage: number, place: number, rows: number, variants: number): void {
    const at = slot * this.#stages + stage;
    const before = this.variant[at] as number;
    const left = this.rowsLeft[at] as number;
    this.rowsLeft[at] = left - rows;
    if (before === place) return;
    if (before === NO_VARIANT) {
      this.variant[at] = place;
      return;
    }
    const mix = this.#mixes.get(at) ?? new Int32Array(variants);
    if (before !== MIXED) {
      mix[before] = (this.rows[at] as number) - left;
      this.variant[at] = MIXED;
      this.#mixes.set(at, mix);
    }
    mix[place] = (mix[place] as number) + rows;
  }

  /** Rows of a stage that is MIXED, by place of the variant. */
  mix(slot: number, stage: number): Int32Array {
    return this.#mixes.get(slot * this.#stages + stage) as Int32Array;
  }

  /** Its outcome is known. */
  end(slot: number): void {
    this.ended[slot] = 1;
    this.#live -= 1;
    if (this.#mixes.size > 0) for (let s = 0; s < this.#stages; s++) this.#mixes.delete(slot * this.#stages + s);
    this.#release(slot);
  }

  /** One of its calls is over. */
  leave(slot: number): void {
    this.calls[slot] = (this.calls[slot] as number) - 1;
    this.#release(slot);
  }

  #release(slot: number): void {
    if (this.ended[slot] === 1 && this.calls[slot] === 0) this.#free.push(slot);
  }

  #grow(): void {
    const size = 2 * this.arrivedMs.length;
    this.arrivedMs = copied(new Float64Array(size), this.arrivedMs);
    this.deadlineMs = copied(new Float64Array(size), this.deadlineMs);
    this.failed = copied(new Uint8Array(size), this.failed);
    this.ended = copied(new Uint8Array(size), this.ended);
    this.calls = copied(new Int32Array(size), this.calls);
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
