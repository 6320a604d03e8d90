const FIRST_SIZE = 16;

/** Chunks of requests that wait at one replica, first come first served: a ring of columns. */
export class ChunkQueue {
  /** Rows that wait. */
  rows = 0;
  #size = FIRST_SIZE;
  #head = 0;
  #length = 0;
  #requests = new Int32Array(FIRST_SIZE);
  #rows = new Int32Array(FIRST_SIZE);
  #taken = new Int32Array(FIRST_SIZE);
  #addedMs = new Float64Array(FIRST_SIZE);

  get length(): number {
    return this.#length;
  }

  add(request: number, rows: number, atMs: number): void {
    if (this.#length === this.#size) this.#grow();
    const at = (this.#head + this.#length) & (this.#size - 1);
    this.#requests[at] = request;
    this.#rows[at] = rows;
    this.#taken[at] = 0;
    this.#addedMs[at] = atMs;
    this.#length += 1;
    this.rows += rows;
  }

  /** The first chunk's request. */
  get request(): number {
    return this.#requests[this.#head] as number;
  }

  /** Rows of the first chunk that still wait. */
  get rowsLeft(): number {
    return (this.#rows[this.#head] as number) - (this.#taken[this.#head] as number);
  }

  get isHalfTaken(): boolean {
    return this.#length > 0 && (this.#taken[this.#head] as number) > 0;
  }

  get lastRequest(): number {
    return this.#requests[(this.#head + this.#length - 1) & (this.#size - 1)] as number;
  }

  /** How long the first chunk has waited; 0: none waits. */
  ageMs(nowMs: number): number {
    return this.#length === 0 ? 0 : nowMs - (this.#addedMs[this.#head] as number);
  }

  /** Takes rows of the first chunk; it is gone when none are left. */
  take(rows: number): void {
    this.rows -= rows;
    const taken = (this.#taken[this.#head] as number) + rows;
    this.#taken[this.#head] = taken;
    if (taken >= (this.#rows[this.#head] as number)) this.#shift();
  }

  /** Throws the first chunk away. */
  drop(): void {
    this.rows -= this.rowsLeft;
    this.#shift();
  }

  #shift(): void {
    this.#head = (this.#head + 1) & (this.#size - 1);
    this.#length -= 1;
  }

  #grow(): void {
    const size = 2 * this.#size;
    const unrolled = <T extends Float64Array | Int32Array>(larger: T, ring: T): T => {
      larger.set(ring.subarray(this.#head));
      larger.set(ring.subarray(0, this.#head), this.#size - this.#head);
      return larger;
    };
    this.#requests = unrolled(new Int32Array(size), this.#requests);
    this.#rows = unrolled(new Int32Array(size), this.#rows);
    this.#taken = unrolled(new Int32Array(size), this.#taken);
    this.#addedMs = unrolled(new Float64Array(size), this.#addedMs);
    this.#size = size;
    this.#head = 0;
  }
}
