import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import {
  type MethodDefinition,
  type Server,
  type ServerErrorResponse,
  type ServiceDefinition,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import { http2ServersOf } from "./http2-streams.ts";
import { LONGEST_TIMER_MS } from "./longest-timer.ts";
import type { UnaryCall, UnaryHandler, UnaryHandlers } from "./unary-call.ts";
import { framed, type Problem, UnaryMessage } from "./unary-message.ts";

const CONTENT_TYPE = "application/grpc+proto";
const CONTENT_TYPES: readonly unknown[] = ["application/grpc", CONTENT_TYPE];
const HEAD = { ":status": 200, "content-type": CONTENT_TYPE };
const ANSWER_HEAD = { ...HEAD, "grpc-accept-encoding": "identity,deflate,gzip" };
const OK = { "grpc-status": status.OK };
const WITH_TRAILERS = { waitForTrailers: true };
const ALONE = { endStream: true };

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const MS_PER_UNIT: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
const LEAST_TIMEOUT_MS = 0.001;
/** A handler that keeps to deadlines by itself knows more of why there is no answer, so it comes first. */
const HANDLERS_TURN_MS = 50;
const LATE: Problem = { code: status.DEADLINE_EXCEEDED, details: "Deadline exceeded" };

// biome-ignore lint/suspicious/noExplicitAny: as grpc-js' own type of definitions
type Definition = MethodDefinition<any, any>;

interface Method {
  readonly definition: Definition;
  // biome-ignore lint/suspicious/noExplicitAny: as grpc-js' own type of handlers
  readonly handle: UnaryHandler<any, any>;
  readonly maxBytes: number;
}

/**
 * Answers calls of these methods right from HTTP/2: grpc-js prepares each call for interceptors, metadata and streams of messages, which
 * takes a tenth of a switcher's CPU time for a call of 45 KB. Calls with anything out of the ordinary (compression, other content types) stay with the server, which has
 * the same handlers, and so do all of them where it does not listen as we know it: false then. To be called once it has its ports.
 * A message of more than `maxBytes` is refused before it is read. Not for servers with interceptors or a time for idle connections: they
 * don't see these calls.
 */
export function takeUnaryCalls(
  server: Server,
  service: ServiceDefinition,
  handlers: UnaryHandlers,
  maxBytes: number,
): boolean {
  const methods = new Map<unknown, Method>();
  for (const [name, handle] of Object.entries(handlers)) {
    const definition: Definition | undefined = service[name];
    if (definition && !definition.requestStream && !definition.responseStream)
      methods.set(definition.path, { definition, handle, maxBytes });
  }
  const http2Servers = http2ServersOf(server);
  if (http2Servers.length === 0 || http2Servers.some(one => one.listenerCount("stream") !== 1)) return false;
  for (const http2Server of http2Servers) {
    const [others] = http2Server.listeners("stream");
    http2Server.removeAllListeners("stream");
    http2Server.on("stream", (stream, headers, ...more) => {
      const method = isPlain(headers) ? methods.get(headers[":path"]) : undefined;
      if (method) receive(stream, headers, method);
      else others?.call(http2Server, stream, headers, ...more);
    });
  }
  return true;
}

function isPlain(headers: IncomingHttpHeaders): boolean {
  const { "content-type": type, "grpc-encoding": encoding, "grpc-timeout": timeout } = headers;
  return (
    CONTENT_TYPES.includes(type) &&
    (encoding === undefined || encoding === "identity") &&
    (timeout === undefined || TIMEOUT.test(String(timeout)))
  );
}

/** Null: there is none. */
function timeoutOf(headers: IncomingHttpHeaders): number | null {
  const text = headers["grpc-timeout"];
  if (text === undefined) return null;
  const [, value, unit = "S"] = TIMEOUT.exec(String(text)) ?? [];
  return Math.max(LEAST_TIMEOUT_MS, Number(value) * (MS_PER_UNIT[unit] ?? 1));
}

/** Reads the message and has it answered. */
function receive(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { definition, handle, maxBytes }: Method,
): void {
  const message = new UnaryMessage(maxBytes);
  const timeoutMs = timeoutOf(headers);
  const startMs = performance.now();
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  const fail = (problem: Problem): void => {
    isOver = true;
    clearTimeout(timer);
    answerError(stream, problem);
    // Whoever still sends may stop (RFC 9113, section 8.1); else its stream would stay open for as long as it likes.
    stream.close(constants.NGHTTP2_NO_ERROR);
  };
  if (timeoutMs !== null) timer = setTimeout(fail, Math.min(timeoutMs + HANDLERS_TURN_MS, LONGEST_TIMER_MS), LATE);
  // Its close follows, and says it to whoever wants to know.
  stream.on("error", () => undefined);
  stream.once("close", () => clearTimeout(timer));
  stream.on("data", (piece: Buffer) => {
    if (isOver) return;
    const problem = message.add(piece);
    if (problem) fail(problem);
  });
  stream.once("end", () => {
    if (isOver || isGone(stream)) return;
    const bytes = message.whole();
    if ("code" in bytes) return fail(bytes);
    let request: unknown;
    try {
      request = definition.requestDeserialize(bytes);
    } catch {
      return fail({ code: status.INTERNAL, details: "Error deserializing request" });
    }
    const leftMs = timeoutMs && Math.max(LEAST_TIMEOUT_MS, timeoutMs - (performance.now() - startMs));
    try {
      handle(callOf(stream, headers, request, leftMs), (error, value) => {
        if (error) answerError(stream, error);
        else answer(stream, definition, value);
      });
    } catch {
      fail({ code: status.UNKNOWN, details: "Unknown error" });
    }
  });
}

function callOf<Request>(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  request: Request,
  timeoutMs: number | null,
): UnaryCall<Request> {
  return {
    request,
    timeoutMs,
    header: name => {
      const value = headers[name];
      return value === undefined ? null : String(Array.isArray(value) ? value[0] : value);
    },
    onGone: callback => stream.once("close", callback),
  };
}

function answer(stream: ServerHttp2Stream, { responseSerialize }: Definition, value: unknown): void {
  if (isGone(stream)) return;
  let frame: Buffer;
  try {
    frame = framed(responseSerialize(value));
  } catch {
    answerError(stream, { code: status.INTERNAL, details: "Error serializing response" });
    return;
  }
  stream.respond(ANSWER_HEAD, WITH_TRAILERS);
  stream.once("wantTrailers", () => stream.sendTrailers(OK));
  stream.end(frame);
}

function answerError(stream: ServerHttp2Stream, error: ServerErrorResponse | Partial<StatusObject>): void {
  if (isGone(stream)) return;
  const { code = status.UNKNOWN, details = "Unknown Error", metadata } = error;
  // Halves of surrogate pairs can't be encoded.
  const message = encodeURI(details.replaceAll(/\p{Surrogate}/gu, "\uFFFD"));
  const said = { ...HEAD, "grpc-status": code, "grpc-message": message };
  stream.respond({ ...said, ...metadata?.toHttp2Headers() }, ALONE);
}

/** Or answered. */
function isGone(stream: ServerHttp2Stream): boolean {
  return stream.destroyed || stream.closed || stream.headersSent;
}
