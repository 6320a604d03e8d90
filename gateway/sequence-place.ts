import type { HttpRequest } from "../runtime/http-server.ts";

/** Where a request stands in a sequence, as one frame of a camera. */
export interface SequencePlace {
  readonly id: string;
  /** One more than that of the request before it. */
  readonly number: number;
}

/** Of `x-sequence-id` and `x-sequence-number`; null: it belongs to none; "invalid": they are there but unusable. */
export function sequencePlaceOf(headers: HttpRequest["headers"]): SequencePlace | null | "invalid" {
  const { "x-sequence-id": id, "x-sequence-number": number } = headers;
  if (id === undefined && number === undefined) return null;
  if (typeof id !== "string" || typeof number !== "string") return "invalid";
  return /^[\x21-\x7e]{1,128}$/.test(id) && /^[0-9]{1,15}$/.test(number) ? { id, number: Number(number) } : "invalid";
}
