import type { IncomingMessage } from "node:http";
import { VariscaleError } from "../domain/errors.ts";

/** The whole body; null: it is larger than allowed, and the rest is thrown away. Rejects when the client goes away. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else resolve(null);
    });
    request.on("end", () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.on("close", () => {
      if (!request.complete)
        reject(new VariscaleError("aborted", "the client went away before it had sent the request"));
    });
    request.on("error", reject);
  });
}
