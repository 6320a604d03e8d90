import { showsToken } from "../runtime/bearer-token.ts";
import type { HttpRequest, HttpResponse } from "../runtime/http-server.ts";
import { FORWARDED } from "./forward-to-leader.ts";

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]", "::1"];

/**
 * Who may change something over HTTP: with a token, whoever shows it; without, only this machine. Null: this request may.
 * A request that a proxy passed on, or that a web page sent to a name of its own (DNS rebinding), does not come from this machine.
 */
export function refuseMutation(request: HttpRequest, token: string | null): HttpResponse | null {
  if (token !== null) {
    if (showsToken(request.headers.authorization, token)) return null;
    return {
      status: 401,
      headers: { "www-authenticate": "Bearer" },
      body: { error: "changes need the scaler's token: send it as `Authorization: Bearer …`", code: "unauthenticated" },
    };
  }
  if (isFromThisMachine(request)) return null;
  const isOfFollower = request.headers[FORWARDED] !== undefined;
  return {
    status: 403,
    body: {
      error: isOfFollower
        ? "without a token, changes are taken at the scaler that leads alone: forward a port to its pod, which the Lease names, or give all scalers a token"
        : "without a token, changes are taken from this machine alone: give the scaler a token, or call it from there",
      code: "permission_denied",
    },
  };
}

function isFromThisMachine(request: HttpRequest): boolean {
  const { remoteAddress, headers } = request;
  const isLoopback = remoteAddress === "::1" || /^(::ffff:)?127\./.test(remoteAddress);
  const wasPassedOn = headers["x-forwarded-for"] !== undefined || headers["forwarded"] !== undefined;
  const name = (headers.host ?? "").replace(/:\d+$/, "");
  return isLoopback && !wasPassedOn && LOOPBACK_NAMES.includes(name);
}
