import type { IncomingMessage } from "node:http";
import { VariscaleError } from "../domain/errors.ts";

/** The whole body; null: it is larger than allowed, and the rest is thrown away; an error: the client went away, or there was no room. */
type Body = Buffer | null | Error;

/** Reads one request's body and calls back once. */
export class BodyReader {
  readonly #into: Buffer | null;
  readonly #maxBytes: number;
  readonly #charge: (bytes: number) => VariscaleError | null;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #done: ((body: Body) => void) | null;

  /**
   * `into`: memory of at least `bytes` bytes, the declared length of the body, to copy it into; null: the length is not declared, and at
   * most `bytes` are taken, each after `charge` has found room for it.
   */
  constructor(
    request: IncomingMessage,
    into: Buffer | null,
    bytes: number,
    charge: (bytes: number) => VariscaleError | null,
    done: (body: Body) => void,
  ) {
    this.#into = into;
    this.#maxBytes = bytes;
    this.#charge = charge;
    this.#done = done;
    request.on("data", (chunk: Buffer) => this.#take(chunk));
    request.on("end", () => this.#finish(this.#into ?? Buffer.concat(this.#chunks)));
    request.on("close", () => {
      if (!request.complete) this.#gone();
    });
    request.on("error", () => this.#gone());
  }

  #take(chunk: Buffer): void {
    if (!this.#done) return;
    const at = this.#bytes;
    this.#bytes += chunk.length;
    if (this.#into) this.#into.set(chunk, at);
    else if (this.#bytes > this.#maxBytes) this.#finish(null);
    else {
      const refusal = this.#charge(chunk.length);
      if (refusal) this.#finish(refusal);
      else this.#chunks.push(chunk);
    }
  }

  #gone(): void {
    this.#finish(new VariscaleError("aborted", "the client went away before it had sent the request"));
  }

  #finish(body: Body): void {
    const done = this.#done;
    this.#done = null;
    this.#chunks.length = 0;
    done?.(body);
  }
}
