import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { VariscaleError } from "../domain/errors.ts";
import type { HttpRequest, HttpResponse, Route } from "../runtime/http-server.ts";
import type { Leadership } from "./leadership.ts";

/** An explanation may take the leader 20 s; clients wait for 25 s. */
const ANSWER_WITHIN_MS = 22_000;
const MOST_BYTES = 32 * 1024 * 1024;
/** A request that another scaler has passed on is not passed on again. */
const FORWARDED = "x-variscale-forwarded";
const PASSED_ON: readonly string[] = ["accept", "authorization", "content-type"];
const GIVEN_BACK: readonly string[] = [
  "allow",
  "cache-control",
  "content-type",
  "www-authenticate",
  "x-content-type-options",
];

/**
 * The routes as every scaler answers them: the leader itself; the others pass the request on and give back its answer, for only the leader
 * knows what it decided. Who may change something is the leader's to say.
 */
export function answeredByLeader(routes: readonly Route[], leadership: Leadership): readonly Route[] {
  return routes.map(route => ({
    ...route,
    handle: request => (leadership.isLeading ? route.handle(request) : passOn(request, leadership)),
  }));
}

function passOn(request: HttpRequest, { leader }: Leadership): Promise<HttpResponse> {
  if (leader === null || request.headers[FORWARDED] !== undefined)
    throw new VariscaleError("unavailable", "no scaler leads at the moment: try again in some seconds");
  const search = request.query.toString();
  const url = new URL(`http://${leader.http}${request.path}${search === "" ? "" : `?${search}`}`);
  const headers = {
    ...picked(request.headers, PASSED_ON),
    "x-forwarded-for": request.remoteAddress,
    [FORWARDED]: "1",
    "content-length": request.body.length,
  };
  const fail = (cause: unknown): VariscaleError =>
    new VariscaleError(
      "unavailable",
      `the scaler that leads can't be reached at ${leader.http} (${VariscaleError.from(cause).message}): try again in some seconds`,
      { cause },
    );
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
    const sent = httpRequest(url, { method: request.method, headers, signal }, response => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MOST_BYTES) response.destroy(new Error(`its answer has more than ${MOST_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on("error", error => reject(fail(error)));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 502,
          headers: picked(response.headers, GIVEN_BACK),
          body: Buffer.concat(chunks),
        }),
      );
    });
    sent.on("error", error => reject(fail(error)));
    sent.end(request.body);
  });
}

function picked(headers: IncomingHttpHeaders, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (typeof value === "string") found[name] = value;
  }
  return found;
}
