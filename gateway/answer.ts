import { createHash, randomUUID } from "node:crypto";
import { VariscaleError } from "../domain/errors.ts";
import { findStage, findVariant, type Pipeline } from "../domain/pipeline.ts";
import { createKeys, type Key } from "../domain/serving/kept-rungs.ts";
import { errorResponse, type HttpRequest, type HttpResponse } from "../runtime/http-server.ts";
import type { Outcome } from "./outcome.ts";
import type { RequestControls } from "./request-scope.ts";
import { formatShares, type RowsByVariant } from "./rows-by-variant.ts";

/** No request waits for longer. */
const MAX_TIMEOUT_MS = 600_000;

/** Text that is usable in logs and headers. */
const VISIBLE = /^[\x21-\x7e]{1,128}$/;

/** The rows that variants served, by stage, as far as the request came. */
export type ServedRows = Readonly<Record<string, RowsByVariant>>;

/** The client is told this beside the outcome. */
export interface AnswerContext {
  readonly requestId: string;
  readonly served: ServedRows;
  readonly latencyMs: number;
}

export function answerOf(outcome: Outcome, context: AnswerContext): HttpResponse {
  const response = bareAnswer(outcome);
  const variants = formatServed(context.served);
  return {
    ...response,
    headers: {
      ...response.headers,
      "x-request-id": context.requestId,
      "x-variscale-latency-ms": context.latencyMs.toFixed(1),
      ...(variants !== "" && { "x-variscale-variants": variants }),
    },
  };
}

/** `detect=small,read=large:0.75+small:0.25`: where several variants served a stage, the share of its rows that each did. */
export function formatServed(served: ServedRows): string {
  return Object.entries(served)
    .map(([stage, rows]) => `${stage}=${formatShares(rows)}`)
    .join();
}

function bareAnswer(outcome: Outcome): HttpResponse {
  switch (outcome.kind) {
    case "served":
      return { status: 200, headers: { "content-type": "application/json" }, body: outcome.body };
    case "dropped": {
      const { reason, message } = outcome;
      const code = reason === "deadline" || reason === "slow_body" ? "deadline_exceeded" : "resource_exhausted";
      const response = errorResponse(new VariscaleError(code, message));
      // The rest of a slow body is not waited for.
      const ending = reason === "slow_body" ? { status: 408, headers: { connection: "close" } } : {};
      return { ...response, ...ending, body: { error: message, code, reason } };
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
  return readVisible(headers["x-request-id"]) ?? randomUUID();
}

/** The header where it is usable in logs and headers, otherwise null. */
export function readVisible(header: string | string[] | undefined): string | null {
  return typeof header === "string" && VISIBLE.test(header) ? header : null;
}

/** Milliseconds that the client gives the request; null: the header is there but unusable. */
export function timeoutOf(headers: HttpRequest["headers"], defaultMs: number): number | null {
  const text = headers["x-request-timeout-ms"];
  if (text === undefined) return Math.min(defaultMs, MAX_TIMEOUT_MS);
  const timeoutMs = typeof text === "string" && /^[0-9]{1,9}(\.[0-9]{1,6})?$/.test(text) ? Number(text) : 0;
  return timeoutMs > 0 ? Math.min(timeoutMs, MAX_TIMEOUT_MS) : null;
}

/** Text says what is wrong with the headers. A sequence's id that is no usable text asks for nothing. */
export function readControls(headers: HttpRequest["headers"], pipeline: Pipeline): RequestControls | string {
  const { "x-variscale-variant": wanted } = headers;
  const sequenceId = readVisible(headers["x-sequence-id"]);
  const variants = new Map<string, string>();
  for (const pair of wanted === undefined ? [] : String(wanted).split(",")) {
    const [, name = "", variant = ""] = /^([^=]+)=(.+)$/.exec(pair.trim()) ?? [];
    const stage = findStage(pipeline, name);
    if (!stage)
      return `x-variscale-variant must be \`stage=variant\`, with one of the stages ${namesIn(pipeline.stages)}`;
    if (!findVariant(stage, variant))
      return `x-variscale-variant: stage \`${name}\` has the variants ${namesIn(stage.variants)}`;
    variants.set(name, variant);
  }
  const keys = [
    ...createKeys(readVisible(headers["x-request-id"]), sequenceId),
    ...createStickyKeys(headers, pipeline),
  ];
  return { sequenceId, variants, keys };
}

/** The header may be as long as a cookie, and say who a person is: its digest does as well. */
function createStickyKeys(headers: HttpRequest["headers"], { serving: { sticky } }: Pipeline): readonly Key[] {
  const value = sticky && headers[sticky.by];
  if (!sticky || typeof value !== "string" || value === "") return [];
  const text = createHash("sha256").update(value).digest("base64url");
  return [{ text: `sticky ${text}`, ttlMs: sticky.ttlMs }];
}

function namesIn(named: readonly { readonly name: string }[]): string {
  return named.map(({ name }) => name).join(", ");
}
