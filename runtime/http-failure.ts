import { type ErrorCode, VariscaleError } from "../domain/errors.ts";

const CODES = {
  /** There never was a connection that the call was sent over, so the server surely has not run it. */
  notConnected: "unavailable",
  /** A connection ended before an answer came: the server may have run the call. */
  brokenOff: "unavailable",
  /** The connection ended within the answer. */
  cutShort: "unavailable",
  timedOut: "deadline_exceeded",
  tooLarge: "resource_exhausted",
  cancelled: "aborted",
} as const satisfies Record<string, ErrorCode>;

const FIXES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: start it, or correct the address",
  ENOTFOUND: "no such name is known: correct the address",
  EAI_AGAIN: "the name can't be looked up now: check the name servers, or correct the address",
  UND_ERR_CONNECT_TIMEOUT: "nothing answers there: check the address and the network",
};

/** Why a call has no whole answer. Every status is an answer; redirects are not followed. */
export class HttpFailure extends VariscaleError {
  readonly kind: keyof typeof CODES;
  /** It says what happened, but not where or what to do: callers say that in their own words. */
  readonly detail: string;

  constructor(kind: keyof typeof CODES, origin: string, detail: string, cause?: unknown) {
    const fix = FIXES[readCode(cause) ?? ""];
    super(CODES[kind], `no answer from ${origin}: ${detail}${fix === undefined ? "" : `: ${fix}`}`, { cause });
    this.kind = kind;
    this.detail = detail;
  }
}

function readCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : undefined;
}

/** The text of a connection's error. One of several addresses has no message of its own. */
export function describeCause(thrown: unknown): string {
  const first: unknown = thrown instanceof AggregateError ? thrown.errors[0] : thrown;
  const message = first instanceof Error ? first.message : "";
  return (message || readCode(thrown) || String(thrown)).trim().slice(0, 500);
}
