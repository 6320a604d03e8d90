import type { Http2Server, Http2Session, ServerHttp2Session } from "node:http2";
import type { Server } from "@grpc/grpc-js";
import { OpenList } from "./open-list.ts";

const CALLS_IN_A_WINDOW = 4;

/** Lets the server's sessions keep their open streams so that old ones don't keep new ones in memory. */
export function keepStreamsInLists(server: Server): void {
  onSession(server, replaceTables);
}

/**
 * Lets clients send so many bytes of one call, and four times as many of all calls of a connection, before they have to wait for word that
 * some arrived. By itself HTTP/2 has 64 KiB for both: an image of 600 KB waits ten times for the way there and back, and calls beside
 * each other wait for one another. What is not read of a call is held, up to `bytes`.
 */
export function widenWindows(server: Server, bytes: number): void {
  onSession(server, session => {
    session.settings({ initialWindowSize: bytes });
    session.setLocalWindowSize(CALLS_IN_A_WINDOW * bytes);
  });
}

/**
 * Of its ports, which it must have by then. grpc-js does not show them, nor Node its sessions' tables: where either is built otherwise than
 * we know it, there are none, nothing is changed, and calls take more time.
 */
export function http2ServersOf(server: Server): readonly Http2Server[] {
  const { http2Servers } = server as unknown as { readonly http2Servers?: unknown };
  return http2Servers instanceof Map ? [...(http2Servers as Map<Http2Server, unknown>).keys()] : [];
}

function onSession(server: Server, listener: (session: ServerHttp2Session) => void): void {
  for (const http2Server of http2ServersOf(server)) http2Server.on("session", listener);
}

/** False: its streams are kept otherwise than we know. */
export function replaceTables(session: Http2Session): boolean {
  const symbol = Object.getOwnPropertySymbols(session).find(({ description }) => description === "state");
  const state = symbol && (session as unknown as Record<symbol, Record<string, unknown> | undefined>)[symbol];
  if (!state || !isEmptyTable(state["streams"], "set") || !isEmptyTable(state["pendingStreams"], "add")) return false;
  state["streams"] = new OpenList();
  state["pendingStreams"] = new OpenList();
  return true;
}

/** Node's own Map and Set have no prototype to know them by. */
function isEmptyTable(table: unknown, adder: "set" | "add"): boolean {
  const { size, [adder]: add } = (table ?? {}) as Readonly<Record<string, unknown>>;
  return size === 0 && typeof add === "function";
}
