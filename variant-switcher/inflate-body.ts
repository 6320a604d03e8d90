import { createGunzip, createInflate } from "node:zlib";
import { VariscaleError } from "../domain/errors.ts";
import { invalid } from "./infer-request.ts";
import { RequestTooLarge } from "./request-too-large.ts";

const CHUNK_BYTES = 64 * 1024;
/**
 * A body that grows beyond this waits until no other such body is being inflated. Memory that was given back stays taken until it is collected, so
 * that many at once would take far more than they are charged for.
 */
const LARGE_BYTES = 1024 * 1024;
let lastLarge: Promise<void> = Promise.resolve();
/** No more large bodies than these wait for their turn; others are refused, and may come again. */
const MOST_WAITING = 64;
let waiting = 0;

/**
 * The body as it was before it was compressed. `charge` finds room for what it grows by, piece by piece, and for the pieces while they are
 * joined, or says why there is none. Throws that, RequestTooLarge above `maxBytes`, and `invalid_argument` for what can't be inflated.
 */
export async function inflateBody(
  body: Buffer,
  encoding: string | undefined,
  maxBytes: number,
  charge: (bytes: number) => VariscaleError | null,
): Promise<Buffer> {
  if (encoding !== "gzip" && encoding !== "deflate")
    throw invalid(`Content-Encoding ${encoding} is not known; use gzip, deflate or none`);
  const broken = (reason: string) => invalid(`the body is no ${encoding}: ${reason}`);
  const inflater = (encoding === "gzip" ? createGunzip : createInflate)({ chunkSize: CHUNK_BYTES });
  const chunks: Buffer[] = [];
  let bytes = 0;
  let refusal: VariscaleError | null = null;
  let endTurn: (() => void) | null = null;
  inflater.end(body);
  try {
    for await (const chunk of inflater as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > LARGE_BYTES && endTurn === null) {
        refusal = waiting >= MOST_WAITING ? tooMany() : null;
        if (refusal) break;
        endTurn = await takeTurn();
      }
      refusal = bytes > maxBytes ? tooLarge(maxBytes) : charge(chunk.length);
      if (refusal) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw broken(VariscaleError.from(error).message);
  } finally {
    endTurn?.();
  }
  refusal ??= charge(bytes);
  if (refusal) throw refusal;
  const whole = Buffer.concat(chunks, bytes);
  charge(-bytes);
  return whole;
}

function tooMany(): VariscaleError {
  return new VariscaleError(
    "resource_exhausted",
    `${MOST_WAITING} large compressed bodies wait to be inflated already; try again later, or send it uncompressed`,
  );
}

function tooLarge(maxBytes: number): RequestTooLarge {
  return new RequestTooLarge(`the body has more than the ${maxBytes} bytes that there is room for when it is inflated`);
}

/** Resolves when the large body before has ended, with what ends the turn of this one. */
async function takeTurn(): Promise<() => void> {
  waiting += 1;
  const before = lastLarge;
  let end = (): void => undefined;
  lastLarge = new Promise(resolve => {
    end = resolve;
  });
  await before;
  waiting -= 1;
  return end;
}
