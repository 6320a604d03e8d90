import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { VariscaleError } from "../domain/errors.ts";
import { showsToken } from "../runtime/bearer-token.ts";
import { HttpClient } from "../runtime/http-client.ts";
import type { HttpRequest, HttpRequestHead, HttpResponse, Route } from "../runtime/http-server.ts";
import type { Leadership } from "./leadership.ts";

/** An explanation may take the leader 20 s; clients wait for 25 s. */
const ANSWER_WITHIN_MS = 22_000;
const MOST_BYTES = 32 * 1024 * 1024;
/** A request that another scaler has passed on is not passed on again. The value is a proof where the client has shown the token, else "1". */
const FORWARDED = "x-variscale-forwarded";
const PROOF = /^(\d{1,15})\.([0-9a-f]{64})$/;
/** The clocks of two pods may differ, and a proof that somebody has copied must soon be of no use. */
const PROOF_LASTS_MS = 60_000;
const PASSED_ON: readonly string[] = ["accept", "content-type"];
const GIVEN_BACK: readonly string[] = [
  "allow",
  "cache-control",
  "content-type",
  "www-authenticate",
  "x-content-type-options",
];
const httpClient = new HttpClient({ idleMs: 4000 });

export interface ForwardOptions {
  readonly leadership: Leadership;
  /** All scalers of a release have the same; null: they have none. */
  readonly token: string | null;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/**
 * The routes as every scaler answers them: the leader itself; the others pass the request on and give back its answer, for only the leader
 * knows what it decided. Who may change something is the leader's to say. The token itself is never passed on, because the Lease says where the
 * leader is, and who may write the Lease must not get the token: a follower that was shown the right one adds a proof, which is good for this
 * very request and a minute.
 */
export function answeredByLeader(routes: readonly Route[], options: ForwardOptions): readonly Route[] {
  return routes.map(route => ({
    ...route,
    handle: request =>
      options.leadership.isLeading ? route.handle(acceptProof(request, options)) : passOn(request, options),
  }));
}

async function passOn(request: HttpRequest, options: ForwardOptions): Promise<HttpResponse> {
  const { leader } = options.leadership;
  if (leader === null || request.headers[FORWARDED] !== undefined)
    throw new VariscaleError("unavailable", "no scaler leads at the moment: try again in some seconds");
  const search = request.query.toString();
  const url = new URL(`http://${leader.http}${request.path}${search === "" ? "" : `?${search}`}`);
  try {
    const { status, headers, body } = await httpClient.request({
      method: request.method,
      url,
      headers: {
        ...pick(request.headers, PASSED_ON),
        "x-forwarded-for": request.remoteAddress,
        [FORWARDED]: makeProof(request, url.pathname, options),
      },
      body: request.body,
      signal: request.signal,
      timeoutMs: ANSWER_WITHIN_MS,
      maxBytes: MOST_BYTES,
    });
    return { status, headers: pick(headers, GIVEN_BACK), body };
  } catch (thrown) {
    throw new VariscaleError(
      "unavailable",
      `the scaler that leads can't be reached at ${leader.http} (${VariscaleError.from(thrown).message}): try again in some seconds`,
      { cause: thrown },
    );
  }
}

function makeProof(request: HttpRequest, path: string, { token, nowMs }: ForwardOptions): string {
  if (token === null || !showsToken(request.headers.authorization, token)) return "1";
  const atMs = nowMs();
  return `${atMs}.${sign({ ...request, path }, token, atMs)}`;
}

/** Whether the request says that another scaler has passed it on with a proof, right or wrong. */
export function isPassedOn({ headers }: HttpRequestHead): boolean {
  return PROOF.test(String(headers[FORWARDED] ?? ""));
}

/** A request with a proof is taken as one that shows the token. */
function acceptProof(request: HttpRequest, { token, nowMs }: ForwardOptions): HttpRequest {
  const [, time, signature] = PROOF.exec(String(request.headers[FORWARDED] ?? "")) ?? [];
  if (token === null || time === undefined || signature === undefined) return request;
  if (Math.abs(nowMs() - Number(time)) > PROOF_LASTS_MS) return request;
  if (!timingSafeEqual(Buffer.from(sign(request, token, Number(time))), Buffer.from(signature))) return request;
  return { ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } };
}

function sign({ method, path, query, body }: HttpRequest, token: string, atMs: number): string {
  const bodyHash = createHash("sha256").update(body).digest("hex");
  const signed = JSON.stringify([method, path, query.toString(), atMs, bodyHash]);
  return createHmac("sha256", token).update(signed).digest("hex");
}

function pick(headers: IncomingHttpHeaders, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (typeof value === "string") found[name] = value;
  }
  return found;
}
