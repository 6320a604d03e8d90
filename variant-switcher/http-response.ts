import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { DataResponse } from "./data-routes.ts";

let dateSecond = 0;
let date = "";

/** Writes an HTTP/1.1 response. `keepAliveMs`: how long the connection stays open without another request; null: it ends. */
export function writeHttpResponse(socket: Socket, answer: DataResponse, keepAliveMs: number | null): void {
  const parts = bodyParts(answer);
  let bytes = 0;
  for (const part of parts) bytes += typeof part === "string" ? Buffer.byteLength(part) : part.length;
  let text = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\ncontent-length: ${bytes}\r\n`;
  if (answer.json !== undefined) text += "content-type: application/json\r\n";
  for (const name in answer.headers) text += `${name}: ${answer.headers[name]}\r\n`;
  const kept = keepAliveMs === null ? "close" : `keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}`;
  text += `Date: ${httpDate()}\r\nConnection: ${kept}\r\n\r\n`;
  const [first = ""] = parts;
  if (parts.length <= 1 && typeof first === "string") {
    const isAscii = first.length === bytes;
    socket.write(text + first, isAscii ? "latin1" : "utf8");
    return;
  }
  socket.cork();
  socket.write(text, "latin1");
  for (const part of parts) socket.write(part);
  socket.uncork();
}

export function bodyParts(answer: DataResponse): readonly (Uint8Array | string)[] {
  return answer.parts ?? (answer.json === undefined ? [] : [JSON.stringify(answer.json)]);
}

function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = new Date(second * 1000).toUTCString();
  }
  return date;
}
