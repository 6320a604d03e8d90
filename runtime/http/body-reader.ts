import type { Readable } from "node:stream";
import type { HeldBytes } from "../byte-budget.ts";
import type { BufferPool } from "./buffer-pool.ts";

/** A body that grows in steps of this size wastes little, and is copied once more when it is whole. */
const SEGMENT_BYTES = 64 * 1024;
const SMALLEST_SEGMENT_BYTES = 4096;
/** The pace of bodies is looked at so often. */
const PACE_MS = 1000;
/** A body must come by so many bytes from look to look, but for what it has to spare. */
const PACE_BYTES = 16 * 1024;
/**
 * A body has this to spare when it begins, and never more: it may stop for ten seconds, as where a phone changes its network. However fast it came
 * before, it holds its memory no longer than that.
 */
const MOST_SPARE_BYTES = 10 * PACE_BYTES;

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
 * budget is full a larger one gives way to a smaller one: clients that stop before the end of large bodies would keep all others out.
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

  /** Gives one up of which more than `bytes` have come, if there is one. */
  endLarger(bytes: number): boolean {
    const larger = this.#findLarger(bytes);
    larger?.giveWay();
    return larger !== null;
  }

  /** Finds the one that is furthest behind its pace, and the largest one of those that all keep to it. */
  #findLarger(bytes: number): BodyReader | null {
    let worst: BodyReader | null = null;
    for (const reader of this.#readers)
      if (reader.bytes > bytes && (worst === null || reader.isWorseThan(worst))) worst = reader;
    return worst;
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
  #spareBytes = MOST_SPARE_BYTES;
  /** How much had come at the last look; null before the first one. */
  #bytesAtLook: number | null = null;

  /** Calls `done` once, unless `stop()` is called before. */
  constructor(request: Readable, options: BodyOptions, done: (outcome: BodyOutcome) => void) {
    this.#options = options;
    this.#done = done;
    options.bodies.add(this);
    request.on("data", (chunk: Buffer) => {
      this.#take(chunk);
      freeChunk(chunk);
    });
    request.on("end", () => this.#finish());
  }

  /** How much of it has come. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether it is further behind its pace than another one, or is larger and as far. */
  isWorseThan(other: BodyReader): boolean {
    return (
      this.#spareBytes < other.#spareBytes || (this.#spareBytes === other.#spareBytes && this.#bytes > other.#bytes)
    );
  }

  /**
   * To be called once a second: a body that has stopped for longer than it may, or comes slower than 16 KiB a second, is given up. Its first second
   * does not count, as it began somewhere in it. Looks are counted, and no time: where this process stood still, bytes wait that were not read yet.
   */
  checkPace(): void {
    if (this.#isDone) return;
    if (this.#bytesAtLook !== null) {
      const spareBytes = this.#spareBytes + this.#bytes - this.#bytesAtLook - PACE_BYTES;
      this.#spareBytes = Math.min(MOST_SPARE_BYTES, spareBytes);
    }
    this.#bytesAtLook = this.#bytes;
    if (this.#spareBytes < 0) this.#end("too slow");
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

/** Gives the memory of a chunk back that nobody needs any more, where the chunk is all that is in it. */
export function freeChunk(chunk: Buffer): void {
  if (chunk.length === chunk.buffer.byteLength) free(chunk.buffer);
}

/**
 * Gives memory back at once. Otherwise some 100 MiB would wait for the garbage collector where many large bodies come together. Node 20 can't do it,
 * and small memory is not worth it.
 */
function free(memory: ArrayBufferLike): void {
  if (memory instanceof ArrayBuffer && memory.byteLength >= SMALLEST_SEGMENT_BYTES) memory.transfer?.(0);
}
