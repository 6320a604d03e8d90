import type { VariscaleError } from "../domain/errors.ts";
import { httpStatusOf } from "../runtime/error-status.ts";
import { RequestTooLarge } from "./request-too-large.ts";

/** A message may quote what a client sent, which has any length. */
const MAX_MESSAGE_CHARACTERS = 1000;

/** The answer of a handler of the data server. */
export interface DataResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Bytes and text that are sent as they are, one part after the other. */
  readonly parts?: readonly (Uint8Array | string)[];
  /** Anything else, sent as JSON. */
  readonly json?: unknown;
}

export type BodyParts = readonly (Uint8Array | string)[];

export function bodyParts({ parts, json }: DataResponse): BodyParts {
  return parts ?? (json === undefined ? [] : [JSON.stringify(json)]);
}

export function countBytes(parts: BodyParts): number {
  let bytes = 0;
  for (const part of parts) bytes += typeof part === "string" ? Buffer.byteLength(part) : part.length;
  return bytes;
}

export function errorResponse(error: VariscaleError): DataResponse {
  const mayRetry = error.code === "resource_exhausted" || error.code === "unavailable";
  return {
    status: error instanceof RequestTooLarge ? 413 : httpStatusOf(error.code),
    ...(mayRetry && { headers: { "retry-after": 1 } }),
    json: { error: error.message.slice(0, MAX_MESSAGE_CHARACTERS), code: error.code },
  };
}
