import { showsToken } from "../runtime/bearer-token.ts";
import type { HttpRequestHead, HttpResponse } from "../runtime/http-server.ts";

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]", "::1"];
/** Sidecars of meshes connect from other addresses of 127.0.0.0/8. */
const LOOPBACK_ADDRESSES = ["127.0.0.1", "::1", "::ffff:127.0.0.1"];
/** Headers that proxies and the sidecars of meshes add. */
const OF_PROXIES = /^(x-forwarded-|forwarded$|via$|x-envoy-|l5d-)/;

export interface ChangeAccess {
  /** Changes must show it; null: there is none. */
  readonly token: string | null;
  /** In a cluster a request of any pod may look as if it came from this machine: without a token no change is taken. */
  readonly needsToken: boolean;
}

/** Tells in a word what a change must show. */
export function describeChanges({ token, needsToken }: ChangeAccess): "token" | "this_machine" | "missing_token" {
  if (token !== null) return "token";
  return needsToken ? "missing_token" : "this_machine";
}

/**
 * Finds out whether a request may change something: with a token, whoever shows it; without, this machine alone, and in a cluster nobody. Null: it may.
 * A request that a proxy passed on, or that a web page sent to a name of its own (DNS rebinding), does not come from this machine.
 */
export function refuseMutation(request: HttpRequestHead, access: ChangeAccess): HttpResponse | null {
  const { token, needsToken } = access;
  if (token !== null) {
    if (showsToken(request.headers.authorization, token)) return null;
    return refuseWithoutToken("changes need the scaler's token: send it as `Authorization: Bearer …`");
  }
  if (needsToken)
    return refuse(
      "in a cluster changes are taken with a token alone, and this scaler has none: give it one in VARISCALE_TOKEN, as the chart does, and show the same",
    );
  if (isFromThisMachine(request)) return null;
  return refuse(
    "without a token, changes are taken from this machine alone: give the scaler a token, or call it from there",
  );
}

/** A wrong token is counted as a guess by this answer. */
export function refuseWithoutToken(error: string): HttpResponse {
  return { status: 401, headers: { "www-authenticate": "Bearer" }, body: { error, code: "unauthenticated" } };
}

function refuse(error: string): HttpResponse {
  return { status: 403, body: { error, code: "permission_denied" } };
}

function isFromThisMachine({ remoteAddress, localAddress, headers }: HttpRequestHead): boolean {
  const isLocal = [remoteAddress, localAddress].every(address => LOOPBACK_ADDRESSES.includes(address));
  const wasPassedOn = Object.keys(headers).some(name => OF_PROXIES.test(name));
  const name = (headers.host ?? "").replace(/:\d+$/, "");
  return isLocal && !wasPassedOn && LOOPBACK_NAMES.includes(name);
}
