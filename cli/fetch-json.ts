import { VariscaleError } from "../domain/errors.ts";
import { HttpClient } from "../runtime/http-client.ts";
import type { HttpFailure } from "../runtime/http-failure.ts";

const httpClient = new HttpClient({ idleMs: 4000 });

export interface JsonRequest {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; null: nothing is. */
  readonly body: object | null;
  readonly timeoutMs: number;
  /** A longer answer is refused. */
  readonly mostBytes: number;
}

/**
 * Status and JSON of an answer; undefined: it is no JSON. Redirects are not followed: what is sent is for this address alone.
 *
 * @throws VariscaleError where there is no whole answer.
 */
export async function fetchJson(
  url: string,
  { method, headers, body, timeoutMs, mostBytes }: JsonRequest,
): Promise<{ readonly status: number; readonly answer: unknown }> {
  const call = {
    method,
    url: new URL(url),
    headers: { ...headers, ...(body !== null && { "content-type": "application/json" }) },
    ...(body !== null && { body: JSON.stringify(body) }),
    timeoutMs,
    maxBytes: mostBytes,
  };
  const answer = await httpClient.request(call).catch((failure: HttpFailure) => {
    // Callers name the address in their own words.
    throw new VariscaleError(failure.code, failure.detail, { cause: failure });
  });
  const { status } = answer;
  if (status >= 300 && status < 400)
    throw new VariscaleError("unavailable", `it answers with a redirect (status ${status}), which is not followed`);
  return { status, answer: jsonOf(answer.body.toString("utf8")) };
}

/** Most bytes of one answer of a model's endpoint. */
const MOST_ENDPOINT_BYTES = 1024 * 1024;
const ENDPOINT_ANSWERS_WITHIN_MS = 3_600_000;

/** `fetch` for a library that asks for one: it gives up on an answer of more than a megabyte, and follows no redirect. */
export async function fetchBounded(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const call = {
    method: request.method,
    url: new URL(request.url),
    headers: Object.fromEntries(request.headers),
    body: Buffer.from(await request.arrayBuffer()),
    signal: request.signal,
    timeoutMs: ENDPOINT_ANSWERS_WITHIN_MS,
    maxBytes: MOST_ENDPOINT_BYTES,
  };
  const { status, headers, body } = await httpClient.request(call).catch((failure: HttpFailure) => {
    if (failure.kind === "tooLarge") throw failure;
    // Libraries know by this error that they may try again.
    throw new TypeError("fetch failed", { cause: failure });
  });
  if (status >= 300 && status < 400)
    throw new VariscaleError("unavailable", `${request.url} answers with a redirect (status ${status})`);
  const hasNoBody = status === 204 || status === 304;
  const given = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  return new Response(hasNoBody ? null : new Uint8Array(body), { status, headers: given });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
