import type { IncomingMessage } from "node:http";
import { VariscaleError } from "../../domain/errors.ts";
import { type BodyOptions, BodyReader } from "./body-reader.ts";

/** A body has more bytes than the server takes. */
export class BodyTooLarge extends VariscaleError {
  constructor(maxBytes: number) {
    super("invalid_argument", `the body must not have more than ${maxBytes} bytes`);
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
 * Reads the body of a request. Where its length is declared, one that is too large or has no room is refused before any of it is read. The rest of
 * a body that is refused is thrown away as it arrives, so that the client can read the refusal and ask again on the same connection.
 *
 * @returns the body, which does not go back to the pool: the caller may keep it.
 * @throws BodyTooLarge or NoRoom.
 */
export function readBody(request: IncomingMessage, options: BodyOptions): Promise<Buffer> {
  const { held, maxBytes } = options;
  return new Promise((resolve, reject) => {
    const length = Number(request.headers["content-length"] ?? 0);
    if (length > maxBytes) throw new BodyTooLarge(maxBytes);
    if (!held.take(length)) throw new NoRoom();
    // A length that is only declared must not keep others out: the bytes are taken again as they arrive.
    held.give(length);
    let isOver = false;
    const reader = new BodyReader(request, options, outcome => {
      isOver = true;
      if (typeof outcome === "object") resolve(outcome);
      else reject(outcome === "full" ? new NoRoom() : new BodyTooLarge(maxBytes));
    });
    request.once("error", reject);
    request.once("close", () => {
      if (!isOver) reader.stop();
      reject(new Error("the client went away while it sent"));
    });
  });
}
