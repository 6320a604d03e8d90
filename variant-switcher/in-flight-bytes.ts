import { VariscaleError } from "../domain/errors.ts";

/** Bytes of requests that are read or worked on at the same time, over all transports. */
export class InFlightBytes {
  readonly #maxBytes: () => number;
  #bytes = 0;

  /** `maxBytes`: how many there may be now. */
  constructor(maxBytes: () => number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes `more` bytes for a request that has `own` already. An error: there is no room for them. A request that is alone always has room. */
  take(more: number, own: number): VariscaleError | null {
    if (more > 0 && this.#bytes > own && this.#bytes + more > this.#maxBytes())
      return new VariscaleError("resource_exhausted", `${this.#bytes} bytes of requests are being worked on`);
    this.#bytes += more;
    return null;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}
