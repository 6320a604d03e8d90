import { randomUUID } from "node:crypto";
import { VariscaleError } from "../domain/errors.ts";
import { errorResponse, type HttpRequest, type HttpResponse } from "../runtime/http-server.ts";
import type { Outcome } from "./outcome.ts";

/** No request waits for longer. */
const MAX_TIMEOUT_MS = 600_000;

/** What is told to the client beside the outcome. */
export interface AnswerContext {
  readonly requestId: string;
  /** Variant by stage, as far as the request came. */
  readonly variants: Readonly<Record<string, string>>;
  readonly latencyMs: number;
}

export function answerOf(outcome: Outcome, context: AnswerContext): HttpResponse {
  const response = bareAnswer(outcome);
  const variants = Object.entries(context.variants).map(([stage, variant]) => `${stage}=${variant}`);
  return {
    ...response,
    headers: {
      ...response.headers,
      "x-request-id": context.requestId,
      "x-variscale-latency-ms": context.latencyMs.toFixed(1),
      ...(variants.length > 0 ? { "x-variscale-variants": variants.join(",") } : {}),
    },
  };
}

function bareAnswer(outcome: Outcome): HttpResponse {
  switch (outcome.kind) {
    case "served":
      return { status: 200, headers: { "content-type": "application/json" }, body: outcome.body };
    case "dropped": {
      const code = outcome.reason === "deadline" ? "deadline_exceeded" : "resource_exhausted";
      const response = errorResponse(new VariscaleError(code, outcome.message));
      return { ...response, body: { error: outcome.message, code, reason: outcome.reason } };
    }
    case "lost":
      return { status: 502, body: { error: outcome.message, code: "unavailable" } };
    case "failed":
      return { status: outcome.status, body: { error: outcome.message, code: "internal" } };
    case "invalid":
      return {
        ...errorResponse(new VariscaleError("invalid_argument", outcome.message)),
        ...(outcome.status && { status: outcome.status }),
      };
    case "cancelled":
      return { status: 499, body: { error: "the client went away", code: "aborted" } };
    default:
      return outcome satisfies never;
  }
}

/** The client's own id where it is usable in logs and headers, otherwise a new one. */
export function requestIdOf(headers: HttpRequest["headers"]): string {
  const id = headers["x-request-id"];
  return typeof id === "string" && /^[\x21-\x7e]{1,128}$/.test(id) ? id : randomUUID();
}

/** Milliseconds that the client gives the request; null: the header is there but unusable. */
export function timeoutOf(headers: HttpRequest["headers"], defaultMs: number): number | null {
  const text = headers["x-request-timeout-ms"];
  if (text === undefined) return Math.min(defaultMs, MAX_TIMEOUT_MS);
  const timeoutMs = typeof text === "string" && /^[0-9]{1,9}(\.[0-9]{1,6})?$/.test(text) ? Number(text) : 0;
  return timeoutMs > 0 ? Math.min(timeoutMs, MAX_TIMEOUT_MS) : null;
}
