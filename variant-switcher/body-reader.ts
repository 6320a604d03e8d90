import type { IncomingMessage } from "node:http";
import { VariscaleError } from "../domain/errors.ts";

/** The whole body; null: it is larger than allowed, and the rest is thrown away; an error: the client went away meanwhile. */
type Body = Buffer | null | Error;

/** Reads one request's body and calls back once. */
export class BodyReader {
  readonly #into: Buffer | null;
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #done: ((body: Body) => void) | null;

  /**
   * `into`: memory of at least `bytes` bytes, the declared length of the body, to copy it into; null: the length is not declared, and at
   * most `bytes` are taken.
   */
  constructor(request: IncomingMessage, into: ArrayBuffer | null, bytes: number, done: (body: Body) => void) {
    this.#into = into && Buffer.from(into, 0, bytes);
    this.#maxBytes = bytes;
    this.#done = done;
    request.on("data", (chunk: Buffer) => this.#take(chunk));
    request.on("end", () => this.#finish(this.#into ?? Buffer.concat(this.#chunks)));
    request.on("close", () => {
      if (!request.complete) this.#gone();
    });
    request.on("error", () => this.#gone());
  }

  #take(chunk: Buffer): void {
    const at = this.#bytes;
    this.#bytes += chunk.length;
    if (this.#into) this.#into.set(chunk, at);
    else if (this.#bytes <= this.#maxBytes) this.#chunks.push(chunk);
    else this.#finish(null);
  }

  #gone(): void {
    this.#finish(new VariscaleError("aborted", "the client went away before it had sent the request"));
  }

  #finish(body: Body): void {
    const done = this.#done;
    this.#done = null;
    done?.(body);
  }
}
