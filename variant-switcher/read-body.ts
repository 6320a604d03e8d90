import type { IncomingMessage } from "node:http";
import { VariscaleError } from "../domain/errors.ts";

/** Copies the whole body into `into`, whose size is the declared length. Rejects when the client goes away. */
export function readDeclared(request: IncomingMessage, into: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    let at = 0;
    request.on("data", (chunk: Buffer) => {
      into.set(chunk, at);
      at += chunk.length;
    });
    request.on("end", resolve);
    rejectWhenGone(request, reject);
  });
}

/** The whole body of a length that is not declared; null: it is larger than allowed, and the rest is thrown away. */
export function readChunked(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else resolve(null);
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    rejectWhenGone(request, reject);
  });
}

function rejectWhenGone(request: IncomingMessage, reject: (error: Error) => void): void {
  request.on("close", () => {
    if (!request.complete) reject(new VariscaleError("aborted", "the client went away before it had sent the request"));
  });
  request.on("error", reject);
}
