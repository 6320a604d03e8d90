import { createGunzip, createInflate } from "node:zlib";
import type { VariscaleError } from "../domain/errors.ts";
import { invalid } from "./infer-request.ts";

const CHUNK_BYTES = 64 * 1024;

/**
 * The body as it was before it was compressed. `charge` finds room for what it grows by, piece by piece, or says why there is none. Throws
 * that, and `invalid_argument` for what can't be inflated.
 */
export async function inflateBody(
  body: Buffer,
  encoding: string | undefined,
  maxBytes: number,
  charge: (bytes: number) => VariscaleError | null,
): Promise<Buffer> {
  if (encoding !== "gzip" && encoding !== "deflate")
    throw invalid(`Content-Encoding ${encoding} is not known; use gzip, deflate or none`);
  const broken = (reason: string) => invalid(`the body is no ${encoding} of at most ${maxBytes} bytes: ${reason}`);
  const inflater = (encoding === "gzip" ? createGunzip : createInflate)({ chunkSize: CHUNK_BYTES });
  const chunks: Buffer[] = [];
  let bytes = 0;
  let refusal: VariscaleError | null = null;
  inflater.end(body);
  try {
    for await (const chunk of inflater as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      refusal = bytes > maxBytes ? broken("it has more") : charge(chunk.length);
      if (refusal) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw broken(error instanceof Error ? error.message : String(error));
  }
  if (refusal) throw refusal;
  return Buffer.concat(chunks, bytes);
}
