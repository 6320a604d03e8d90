import { type StatusObject, status } from "@grpc/grpc-js";

/** Of a message: whether it is compressed, and its length. */
export const PREFIX_BYTES = 5;

/** What a call is answered with that has no other answer. */
export type Problem = Pick<StatusObject, "code" | "details">;

/** The one message of a call, as it comes in pieces (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export class UnaryMessage {
  readonly #maxBytes: number;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  /** With its prefix; null: the prefix has not arrived. */
  #frameBytes: number | null = null;

  /** Longer messages are refused, as soon as they say so. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What is wrong with all that has come so far; null: nothing yet. */
  add(piece: Buffer): Problem | null {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#frameBytes === null) {
      if (this.#bytes < PREFIX_BYTES) return null;
      const prefix = piece.length < this.#bytes ? this.#joined() : piece;
      if (prefix[0] !== 0)
        return problem(status.INTERNAL, "the message is compressed, but grpc-encoding says it is not");
      const bytes = prefix.readUInt32BE(1);
      if (bytes > this.#maxBytes)
        return problem(status.RESOURCE_EXHAUSTED, `Received message larger than max (${bytes} vs ${this.#maxBytes})`);
      this.#frameBytes = PREFIX_BYTES + bytes;
    }
    if (this.#bytes > this.#frameBytes) return problem(status.UNIMPLEMENTED, "the call has more than one message");
    return null;
  }

  /** The message, once nothing comes any more; it is given once. */
  whole(): Buffer | Problem {
    if (this.#bytes === 0) return problem(status.UNIMPLEMENTED, "the call has no message");
    if (this.#bytes !== this.#frameBytes) return problem(status.INTERNAL, "the message ends before its length");
    const message = this.#joined().subarray(PREFIX_BYTES);
    // Else they would be there for as long as the call is.
    this.#pieces.length = 0;
    return message;
  }

  #joined(): Buffer {
    const [first, ...others] = this.#pieces;
    return first && others.length === 0 ? first : Buffer.concat(this.#pieces, this.#bytes);
  }
}

/** The same, to be sent: not compressed. */
export function framed(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, PREFIX_BYTES);
  return frame;
}

function problem(code: status, details: string): Problem {
  return { code, details };
}
