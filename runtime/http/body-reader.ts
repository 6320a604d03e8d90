import type { Readable } from "node:stream";
import type { HeldBytes } from "../byte-budget.ts";
import type { BufferPool } from "./buffer-pool.ts";

/** A body that grows in steps of this size wastes little, and is copied once more when it is whole. */
const SEGMENT_BYTES = 64 * 1024;
const SMALLEST_SEGMENT_BYTES = 4096;
/** In so many looks a body must come by LEAST_BYTES or be whole. */
const LOOKS = 5;
const PACE_MS = 1000;
const LEAST_BYTES = 80 * 1024;

/** How the reading of a body ended. "full" says that the budget has no room for it, or none any more. */
export type BodyOutcome = Buffer | "too large" | "full" | "too slow";

export interface BodyOptions {
  readonly maxBytes: number;
  readonly held: HeldBytes;
  /** The bodies of the port, of which this is one until it is whole. */
  readonly bodies: OpenBodies;
  /** How long it will be. Default: its client has not said. */
  readonly declaredBytes?: number;
}

/**
 * The bodies of one port that are not whole yet, and the buffers into which they are read. Those that come too slowly are given up, and where the
 * budget is full the largest one gives way to a smaller one: clients that stop before the end of large bodies would keep all others out.
 */
export class OpenBodies {
  readonly buffers: BufferPool;
  readonly #paceMs: number;
  readonly #readers = new Set<BodyReader>();
  #timer: NodeJS.Timeout | undefined;

  /** Looks at the pace of bodies every `paceMs`, by default once a second. */
  constructor(buffers: BufferPool, paceMs = PACE_MS) {
    this.buffers = buffers;
    this.#paceMs = paceMs;
  }

  add(reader: BodyReader): void {
    this.#readers.add(reader);
    this.#timer ??= setInterval(() => this.#checkPace(), this.#paceMs).unref();
  }

  delete(reader: BodyReader): void {
    this.#readers.delete(reader);
  }

  /** Whether more than `bytes` have come of one of them. */
  hasLarger(bytes: number): boolean {
    return this.#findLarger(bytes) !== null;
  }

  /** Gives the largest one up if more than `bytes` have come of it. */
  endLarger(bytes: number): boolean {
    const largest = this.#findLarger(bytes);
    largest?.giveWay();
    return largest !== null;
  }

  #findLarger(bytes: number): BodyReader | null {
    let largest: BodyReader | null = null;
    for (const reader of this.#readers) if (reader.bytes > (largest?.bytes ?? bytes)) largest = reader;
    return largest;
  }

  #checkPace(): void {
    for (const reader of this.#readers) reader.checkPace();
    if (this.#readers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/**
 * Reads the body of one request. Memory is taken as bytes arrive, never by what the client announces; small chunks are copied together, as
 * each chunk by itself would keep an object of some hundred bytes. The memory comes from a pool, and goes back there with `stop()`.
 */
export class BodyReader {
  readonly #options: BodyOptions;
  readonly #done: (outcome: BodyOutcome) => void;
  /** All but the last one are full. */
  #segments: ArrayBuffer[] = [];
  #roomInLast = 0;
  #bytes = 0;
  #isDone = false;
  #looks = 0;
  #bytesAtWindow = 0;

  /** Calls `done` once, unless `stop()` is called before. */
  constructor(request: Readable, options: BodyOptions, done: (outcome: BodyOutcome) => void) {
    this.#options = options;
    this.#done = done;
    options.bodies.add(this);
    request.on("data", (chunk: Buffer) => {
      this.#take(chunk);
      if (chunk.length === chunk.buffer.byteLength) free(chunk.buffer);
    });
    request.on("end", () => this.#finish());
  }

  /** How much of it has come. */
  get bytes(): number {
    return this.#bytes;
  }

  /** To be called once a second: a body that has stopped, or comes slower than 16 KiB a second, is given up. */
  checkPace(): void {
    if (this.#isDone || ++this.#looks < LOOKS) return;
    if (this.#bytes - this.#bytesAtWindow < LEAST_BYTES) this.#end("too slow");
    this.#looks = 0;
    this.#bytesAtWindow = this.#bytes;
  }

  /** Gives the body up, as others need its memory. */
  giveWay(): void {
    if (!this.#isDone) this.#end("full");
  }

  /** Gives the memory back: the body must not be used any more, and what still comes of it is not kept. */
  stop(): void {
    const { bodies, held } = this.#options;
    if (!this.#isDone) {
      bodies.delete(this);
      this.#release();
      held.give(this.#bytes);
    }
    // A whole body was given away, and must stay readable memory even if it is used against the rule.
    else for (const segment of this.#segments.splice(0)) bodies.buffers.give(segment);
    this.#isDone = true;
  }

  /** Gives back memory that nobody else has seen. */
  #release(): void {
    for (const segment of this.#segments.splice(0)) if (!this.#options.bodies.buffers.give(segment)) free(segment);
  }

  #take(chunk: Buffer): void {
    if (this.#isDone) return;
    if (this.#bytes + chunk.length > this.#options.maxBytes) this.#end("too large");
    else if (!this.#hold(chunk.length)) this.#end("full");
    else this.#copy(chunk);
  }

  /** Takes room for `bytes` more; where there is none, larger bodies give way. */
  #hold(bytes: number): boolean {
    const { bodies, held, declaredBytes = 0 } = this.#options;
    while (!held.take(bytes)) if (!bodies.endLarger(Math.max(declaredBytes, this.#bytes + bytes))) return false;
    return true;
  }

  #copy(chunk: Buffer): void {
    for (let from = 0; from < chunk.length; ) {
      if (this.#roomInLast === 0) this.#addSegment(chunk.length - from);
      const segment = this.#segments.at(-1) as ArrayBuffer;
      const to = Math.min(chunk.length, from + this.#roomInLast);
      chunk.copy(new Uint8Array(segment), segment.byteLength - this.#roomInLast, from, to);
      this.#roomInLast -= to - from;
      this.#bytes += to - from;
      from = to;
    }
  }

  /** Takes memory for what comes now, and for as much again as has come before it, within limits. */
  #addSegment(bytes: number): void {
    const usual = Math.min(SEGMENT_BYTES, Math.max(SMALLEST_SEGMENT_BYTES, this.#bytes));
    const segment = this.#options.bodies.buffers.take(Math.max(usual, Math.min(bytes, SEGMENT_BYTES)));
    this.#segments.push(segment);
    this.#roomInLast = segment.byteLength;
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#options.bodies.delete(this);
    if (this.#segments.length > 1) this.#join();
    this.#isDone = true;
    const [whole] = this.#segments;
    this.#done(whole ? Buffer.from(whole, 0, this.#bytes) : Buffer.alloc(0));
  }

  #join(): void {
    const whole = this.#options.bodies.buffers.take(this.#bytes);
    const bytes = new Uint8Array(whole);
    let at = 0;
    for (const segment of this.#segments) {
      const length = Math.min(segment.byteLength, this.#bytes - at);
      bytes.set(new Uint8Array(segment, 0, length), at);
      at += length;
    }
    this.#release();
    this.#segments = [whole];
  }

  #end(outcome: BodyOutcome): void {
    this.stop();
    this.#done(outcome);
  }
}

/**
 * Gives memory back at once. Otherwise some 100 MiB would wait for the garbage collector where many large bodies come together. Node 20 can't do it,
 * and small memory is not worth it.
 */
function free(memory: ArrayBufferLike): void {
  if (memory instanceof ArrayBuffer && memory.byteLength >= SMALLEST_SEGMENT_BYTES) memory.transfer?.(0);
}
