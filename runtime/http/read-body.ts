import type { IncomingMessage } from "node:http";
import { VariscaleError } from "../../domain/errors.ts";
import { type BodyOptions, BodyReader } from "./body-reader.ts";

/** A body has more bytes than the server takes. */
export class BodyTooLarge extends VariscaleError {
  readonly status = 413;

  constructor(maxBytes: number) {
    super("invalid_argument", `the body must not have more than ${maxBytes} bytes`);
  }
}

/** A body has stopped, or comes too slowly. */
export class BodyTooSlow extends VariscaleError {
  readonly status = 408;

  constructor() {
    super(
      "deadline_exceeded",
      "the body comes too slowly: at least 16 KiB a second are needed, and it may stop for 10 seconds",
    );
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
 * @throws BodyTooLarge, BodyTooSlow or NoRoom.
 */
export function readBody(request: IncomingMessage, options: Omit<BodyOptions, "declaredBytes">): Promise<Buffer> {
  const { held, maxBytes, bodies } = options;
  return new Promise((resolve, reject) => {
    const length = Number(request.headers["content-length"] ?? 0);
    if (length > maxBytes) throw new BodyTooLarge(maxBytes);
    // A length that is only declared must not keep others out: the bytes are taken again as they arrive.
    if (held.take(length)) held.give(length);
    else if (!bodies.hasLarger(length)) throw new NoRoom();
    let isOver = false;
    const reader = new BodyReader(request, { ...options, declaredBytes: length }, outcome => {
      isOver = true;
      if (typeof outcome === "object") resolve(outcome);
      else if (outcome === "too large") reject(new BodyTooLarge(maxBytes));
      else reject(outcome === "full" ? new NoRoom() : new BodyTooSlow());
    });
    request.once("error", reject);
    request.once("close", () => {
      if (!isOver) reader.stop();
      reject(new Error("the client went away while it sent"));
    });
  });
}
