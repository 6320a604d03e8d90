import type { IncomingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import { Agent, buildConnector, type Dispatcher, errors, ProxyAgent } from "undici";
import { VariscaleError } from "../domain/errors.ts";
import { describeCause, HttpFailure } from "./http-failure.ts";

/** The material that a TLS connection is opened with, as PEM texts. */
export interface TlsAccess {
  /** It is null where the authorities that Node trusts are meant. */
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  /** The name that the server's certificate must have; null: that of the URL. */
  readonly serverName: string | null;
  /** It is false where any certificate is taken. */
  readonly verify: boolean;
}

export interface HttpCall {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Parts are sent one after the other; `content-length` is added. */
  readonly body?: string | Uint8Array | readonly Uint8Array[];
  /** Null takes Node's own defaults. A call with other material than the last call opens new connections. */
  readonly tls?: TlsAccess | null;
  /** The call gets a connection of its own, so that it meets none which the server is just closing. It is sent once. Default: false. */
  readonly isFresh?: boolean;
  readonly signal?: AbortSignal;
}

export interface BoundedCall extends HttpCall {
  /** From the call to the last byte of its answer. */
  readonly timeoutMs: number;
  /** A longer answer is refused. */
  readonly maxBytes: number;
}

/** An answer whose body is still to come. Its body must be read to its end, or destroyed. */
export interface OpenAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

export interface HttpAnswer extends Omit<OpenAnswer, "body"> {
  readonly body: Buffer;
}

export interface HttpClientOptions {
  /** A kept connection closes after this long without a call. Choose less than the server's own limit. */
  readonly idleMs: number;
  /** Connections to one server at the same time; further calls wait for one. Default: as many as calls. */
  readonly maxConnections?: number;
  /** An HTTP proxy that calls go through; null: there is none. */
  readonly proxyUrl?: string | null;
}

/** Larger bodies are not copied together before they are sent. */
const MOST_COPIED_BYTES = 32 * 1024;

/** Errors of connections that had carried an answer before: the server closed a kept connection just when it was used again. */
const errorsAfterAnswers = new WeakSet<Error>();
const connectErrors = new WeakSet<Error>();

/** Makes HTTP calls over kept connections. A call that meets a kept connection which just closed is sent once more, over a new one. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  #connections: Connections | null = null;
  #isClosed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /** A whole answer. Throws HttpFailure where there is none. */
  async request({ timeoutMs, maxBytes, signal, ...call }: BoundedCall): Promise<HttpAnswer> {
    const { origin } = call.url;
    // AbortSignal.timeout() and AbortSignal.any() would outlive the call.
    const ending = new AbortController();
    const cancel = () => ending.abort(new HttpFailure("cancelled", origin, "the call was cancelled"));
    const expire = () => ending.abort(new HttpFailure("timedOut", origin, `no answer within ${timeoutMs} ms`));
    const timer = setTimeout(expire, timeoutMs);
    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel, { once: true });
    try {
      const { status, headers, body } = await this.open({ ...call, signal: ending.signal });
      if (call.method !== "HEAD" && Number(headers["content-length"] ?? 0) > maxBytes) {
        body.destroy();
        throw tooLarge(origin, maxBytes);
      }
      return { status, headers, body: await readWhole(body, origin, maxBytes) };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** An answer whose body is still to come. Throws HttpFailure where there is none. */
  async open(call: HttpCall): Promise<OpenAnswer> {
    const { origin } = call.url;
    if (this.#isClosed) throw describeClosed(origin);
    if (call.url.username !== "" || call.url.password !== "")
      throw new VariscaleError("invalid_argument", `the address of ${origin} has credentials in it: remove them`);
    const connections = this.#connectionsFor(call.tls ?? null);
    const isResend = !call.isFresh;
    if (isResend)
      try {
        return await send(connections.kept, call);
      } catch (thrown) {
        if (!isStale(thrown) || call.signal?.aborted || this.#isClosed) throw toFailure(thrown, origin);
      }
    try {
      return await send(connections.fresh, call);
    } catch (thrown) {
      throw toFailure(thrown, origin, isResend);
    }
  }

  /** Calls that run fail. */
  close(): void {
    this.#isClosed = true;
    this.#connections?.destroy();
  }

  #connectionsFor(tls: TlsAccess | null): Connections {
    if (this.#connections?.isOpenedWith(tls)) return this.#connections;
    this.#connections?.end();
    this.#connections = new Connections(this.#options, tls);
    return this.#connections;
  }
}

/** Connections that were opened with the same TLS material. */
class Connections {
  readonly kept: Dispatcher;
  readonly #options: HttpClientOptions;
  readonly #tls: TlsAccess | null;
  #fresh: Dispatcher | null = null;

  constructor(options: HttpClientOptions, tls: TlsAccess | null) {
    this.#options = options;
    this.#tls = tls;
    this.kept = openDispatcher(options, tls, true);
  }

  /** Opens a connection for every call. */
  get fresh(): Dispatcher {
    this.#fresh ??= openDispatcher(this.#options, this.#tls, false);
    return this.#fresh;
  }

  isOpenedWith(tls: TlsAccess | null): boolean {
    const own = this.#tls;
    if (own === null || tls === null) return own === tls;
    return (Object.keys(own) as (keyof TlsAccess)[]).every(name => own[name] === tls[name]);
  }

  /** Calls that run go on to their end. */
  end(): void {
    for (const dispatcher of [this.kept, this.#fresh]) void dispatcher?.close();
  }

  destroy(): void {
    for (const dispatcher of [this.kept, this.#fresh]) void dispatcher?.destroy(describeClosed("the server"));
  }
}

/** All of a body. Throws HttpFailure where it is longer than `maxBytes`, or breaks off. */
export async function readWhole(body: Readable, origin: string, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(origin, maxBytes);
      chunks.push(chunk);
    }
  } catch (thrown) {
    if (thrown instanceof HttpFailure) throw thrown;
    throw new HttpFailure("cutShort", origin, `the answer broke off (${describeCause(thrown)})`, thrown);
  }
  const [first] = chunks;
  return chunks.length === 1 && first ? first : Buffer.concat(chunks, bytes);
}

function openDispatcher(
  { idleMs, maxConnections, proxyUrl }: HttpClientOptions,
  tls: TlsAccess | null,
  isKept: boolean,
): Dispatcher {
  const tlsOptions = {
    ...(tls?.ca != null && { ca: tls.ca }),
    ...(tls?.certificate != null && { cert: tls.certificate }),
    ...(tls?.key != null && { key: tls.key }),
    ...(tls?.serverName != null && { servername: tls.serverName }),
    ...(tls && { rejectUnauthorized: tls.verify }),
  };
  const options = {
    keepAliveTimeout: idleMs,
    // Servers may ask for a shorter time, not for a longer one.
    keepAliveMaxTimeout: idleMs,
    // A call has a time of its own, and a stream may be silent for as long as it likes.
    headersTimeout: 0,
    bodyTimeout: 0,
    connections: maxConnections ?? null,
    ...(!isKept && { pipelining: 0 }),
  };
  if (proxyUrl != null) return new ProxyAgent({ ...options, uri: proxyUrl, requestTls: tlsOptions });
  return new Agent({ ...options, connect: observedConnector(tlsOptions) });
}

/** Opens connections, and notes which errors came before there was one, and which after it had carried an answer. */
function observedConnector(options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector(options);
  return (target, callback) => {
    try {
      connect(target, (error, socket) => {
        if (error !== null) {
          connectErrors.add(error);
          return callback(error, null);
        }
        const bytesAtStart = socket.bytesRead;
        socket.once("error", thrown => {
          if (socket.bytesRead > bytesAtStart) errorsAfterAnswers.add(thrown);
        });
        callback(null, socket);
      });
    } catch (thrown) {
      // A certificate or key that is no PEM text throws here.
      if (thrown instanceof Error) connectErrors.add(thrown);
      throw thrown;
    }
  };
}

async function send(dispatcher: Dispatcher, { method, url, headers, body, signal }: HttpCall): Promise<OpenAnswer> {
  const length = body === undefined ? null : countBytes(body);
  const answer = await dispatcher.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: method as Dispatcher.HttpMethod,
    headers: { ...headers, ...(length !== null && { "content-length": String(length) }) } as Record<string, string>,
    body: body === undefined ? null : sendable(body, length ?? 0),
    ...(signal && { signal }),
  });
  return { status: answer.statusCode, headers: answer.headers, body: answer.body };
}

function countBytes(body: NonNullable<HttpCall["body"]>): number {
  if (typeof body === "string") return Buffer.byteLength(body);
  if (body instanceof Uint8Array) return body.byteLength;
  return body.reduce((sum, part) => sum + part.byteLength, 0);
}

function sendable(body: NonNullable<HttpCall["body"]>, length: number): string | Uint8Array | Readable {
  if (typeof body === "string" || body instanceof Uint8Array) return body;
  return length <= MOST_COPIED_BYTES ? Buffer.concat(body, length) : Readable.from(body, { objectMode: false });
}

/** Whether a kept connection closed before it answered this call, which says nothing about the server. */
function isStale(thrown: unknown): boolean {
  if (thrown instanceof errors.SocketError) return (thrown.socket?.bytesRead ?? 0) > 0;
  return thrown instanceof Error && errorsAfterAnswers.has(thrown);
}

/** @param isResend the call was sent before, on a kept connection: the server may have run it, and may have died of it. */
function toFailure(thrown: unknown, origin: string, isResend = false): HttpFailure {
  if (thrown instanceof HttpFailure) return thrown;
  const isUnseen = !isResend && thrown instanceof Error && connectErrors.has(thrown);
  return new HttpFailure(isUnseen ? "notConnected" : "brokenOff", origin, describeCause(thrown), thrown);
}

function tooLarge(origin: string, maxBytes: number): HttpFailure {
  return new HttpFailure("tooLarge", origin, `the answer has more than ${maxBytes} bytes`);
}

function describeClosed(origin: string): HttpFailure {
  return new HttpFailure("cancelled", origin, "the client is closed");
}
