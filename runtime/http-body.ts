import type { IncomingMessage } from "node:http";
import { VariscaleError } from "../domain/errors.ts";
import type { HeldBytes } from "./byte-budget.ts";

const SMALLEST_STEP_BYTES = 4096;
/**
 * Memory grows by this factor. It is large, because what a body has outgrown stays until garbage is collected, while memory that was not written to
 * yet is only reserved.
 */
const GROWTH = 8;

/** A body has more bytes than the server takes. */
export class BodyTooLarge extends VariscaleError {
  constructor(mostBytes: number) {
    super("invalid_argument", `the body must not have more than ${mostBytes} bytes`);
  }
}

/** The requests that are being worked on leave no room for a body. */
export class NoRoom extends VariscaleError {
  constructor() {
    super(
      "resource_exhausted",
      "the requests that are being worked on take all the memory that is there for them: try again in a second",
    );
  }
}

/**
 * Bytes that arrive in pieces of any size, copied together: a million pieces of one byte take no more memory than one piece of a million.
 * All bytes are taken from `held` as they come.
 */
export class GrowingBytes {
  readonly #held: HeldBytes;
  readonly #mostBytes: number;
  #memory: Buffer = Buffer.alloc(0);
  #length = 0;

  /** @param mostBytes that the whole can have, where that is known: no more memory is taken than that. */
  constructor(held: HeldBytes, mostBytes: number) {
    this.#held = held;
    this.#mostBytes = mostBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that are reserved, used or not. */
  get capacity(): number {
    return this.#memory.length;
  }

  /** Adds a piece. The answer is false where there is no room for it, and nothing was added. */
  add(piece: Buffer): boolean {
    const needed = this.#length + piece.length;
    if (!this.#held.take(piece.length)) return false;
    if (needed > this.#memory.length) this.#grow(needed);
    piece.copy(this.#memory, this.#length);
    this.#length = needed;
    return true;
  }

  /** Gives the memory back at once where Node can do that (20 can't), and else when garbage is collected. */
  discard(): void {
    free(this.#memory);
    this.#memory = Buffer.alloc(0);
    this.#length = 0;
  }

  bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  #grow(needed: number): void {
    const grown = Math.max(SMALLEST_STEP_BYTES, GROWTH * this.#memory.length);
    const capacity = Math.max(needed, Math.min(grown, this.#mostBytes));
    const memory = Buffer.allocUnsafeSlow(capacity);
    this.#memory.copy(memory, 0, 0, this.#length);
    free(this.#memory);
    this.#memory = memory;
  }
}

function free({ buffer }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= SMALLEST_STEP_BYTES) buffer.transfer?.(0);
}

/**
 * The body of a request, counted as it arrives. Where its length is declared, one that is too large or has no room is refused before any of
 * it is read.
 *
 * @throws BodyTooLarge or NoRoom.
 */
export function readBody(request: IncomingMessage, held: HeldBytes, mostBytes: number): Promise<Buffer> {
  const declared = request.headers["content-length"];
  const length = declared === undefined ? null : Number(declared);
  return new Promise((resolve, reject) => {
    if (length !== null && length > mostBytes) throw new BodyTooLarge(mostBytes);
    if (length !== null) {
      if (!held.take(length)) throw new NoRoom();
      // A length that is only declared must not keep others out: the bytes are taken again as they arrive.
      held.give(length);
    }
    const body = new GrowingBytes(held, length ?? mostBytes);
    const take = (piece: Buffer): void => {
      if (body.length + piece.length > mostBytes) refuse(new BodyTooLarge(mostBytes));
      else if (!body.add(piece)) refuse(new NoRoom());
    };
    const refuse = (error: Error): void => {
      // The rest of it is thrown away as it arrives, so that the client can read the refusal and ask again on the same connection.
      request.off("data", take).resume();
      body.discard();
      reject(error);
    };
    request.on("data", take);
    let isWhole = false;
    request.once("end", () => {
      isWhole = true;
      resolve(body.bytes());
    });
    request.once("error", reject);
    request.once("close", () => {
      if (!isWhole) body.discard();
      reject(new Error("the client went away while it sent"));
    });
  });
}
