import type { Socket } from "node:net";
import type { VariscaleError } from "../domain/errors.ts";
import type { DataHandler, DataResponse } from "./data-routes.ts";
import { writeHttpResponse } from "./http-response.ts";
import { type PostHead, readPostHead } from "./post-head.ts";
import { type MemoryParts, RequestMemory } from "./request-memory.ts";
import { readShared, unshared } from "./shared-reads.ts";

export interface PlainConnectionOptions extends MemoryParts {
  readonly maxBodyBytes: number;
  /** The handler of requests with this head; null: they are none of this class's. */
  readonly handlerOf: (url: string) => DataHandler | null;
  /** The connection is closed, or another's. */
  readonly onEnd: (connection: PlainConnection) => void;
  /** Takes the connection over, which `begun` came from and was not answered. */
  readonly handOver: (socket: Socket, begun: Buffer) => void;
  /** Is told of a request that there was no room for. */
  readonly onRefused: (head: PostHead, refusal: VariscaleError) => void;
  /** What a request is answered that failed. */
  readonly failureOf: (url: string, thrown: unknown) => DataResponse;
  readonly isClosing: () => boolean;
  /** A request begins, or is done with. */
  readonly onBusy: (change: 1 | -1) => void;
  readonly keepAliveMs: number;
  readonly requestTimeoutMs: number;
}

/** The head that came last, over all connections: most clients send the same one again and again, and it need not be read again. */
export interface LastHead {
  head: PostHead | null;
}

interface Receiving {
  readonly head: PostHead;
  readonly handle: DataHandler;
  readonly memory: RequestMemory;
  readonly body: Buffer;
  bytes: number;
}

/** What may come while a request is worked on, before the connection is read no further: until then it is noticed when the client goes away. */
const MAX_EARLY_BYTES = 64 * 1024;
const MAX_EARLY_CHUNKS = 32;
const TIMED_OUT = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/**
 * Answers the plainest kind of request, which is nearly every one: a POST whose head comes in one piece (post-head.ts). It does without the
 * streams and objects that Node's HTTP server makes for each request, which take as long as all else here. From the first
 * request of another kind on, the connection is Node's.
 */
export class PlainConnection {
  readonly #socket: Socket;
  readonly #options: PlainConnectionOptions;
  readonly #last: LastHead;
  #receiving: Receiving | null = null;
  #isAnswering = false;
  /** What is read lies in memory that is overwritten; null: not tried yet. */
  #readsShared: boolean | null = null;
  #isHandedOver = false;
  /** What came while a request was worked on: it waits for its turn. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #gone: (() => void) | null = null;
  /** When the request began to come, or the last one was answered, on the clock of performance.now(). */
  #sinceMs = performance.now();

  constructor(socket: Socket, options: PlainConnectionOptions, last: LastHead) {
    this.#socket = socket;
    this.#options = options;
    this.#last = last;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  /** Ends a connection on which nothing happens for too long, and cuts it where that takes too long again. */
  endIfIdle(nowMs: number): void {
    const isEnding = !this.#socket.writable;
    if (this.#isAnswering && !isEnding) return;
    const { keepAliveMs, requestTimeoutMs } = this.#options;
    if (nowMs - this.#sinceMs <= (this.#receiving ? requestTimeoutMs : keepAliveMs)) return;
    if (isEnding) {
      this.#socket.destroy();
      return;
    }
    if (this.#receiving) this.#socket.write(TIMED_OUT);
    this.#socket.destroySoon();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#receiving) this.#take(this.#receiving, chunk, 0);
    else if (this.#isAnswering) this.#keepForLater(chunk);
    else this.#begin(chunk);
  };

  /** Whoever it was handed over to reads it as a stream. */
  readonly #onShared = (chunk: Buffer): boolean => {
    if (this.#isHandedOver) return this.#socket.push(unshared(chunk));
    this.#onData(chunk);
    return true;
  };

  /** The client sends nothing more: as with Node's server, it is not answered either. */
  readonly #onEnd = (): void => void this.#socket.end();

  /** What follows is that it closes. */
  readonly #onError = (): void => undefined;

  readonly #onClose = (): void => {
    if (this.#receiving) this.#done(this.#receiving.memory);
    this.#receiving = null;
    this.#gone?.();
    this.#options.onEnd(this);
  };

  #begin(chunk: Buffer): void {
    // The connection ends: there would be no answer.
    if (!this.#socket.writable) return;
    const { maxBodyBytes, handlerOf } = this.#options;
    const head = this.#headOf(chunk);
    const handle = head && head.contentLength <= maxBodyBytes ? handlerOf(head.url) : null;
    const memory = new RequestMemory(this.#options);
    // Node's part of the server refuses what there is no room for, too, and keeps the connection.
    if (!head || !handle || memory.charge(head.contentLength)) {
      this.#handOver(chunk);
      return;
    }
    if (this.#readsShared) memory.leaves(-head.contentLength);
    // Who sends one such request is likely to send many.
    else this.#readsShared ??= readShared(this.#socket, this.#onShared);
    this.#options.onBusy(1);
    this.#sinceMs = performance.now();
    this.#receiving = { head, handle, memory, body: memory.bodyOf(head.contentLength), bytes: 0 };
    this.#take(this.#receiving, chunk, head.bytes.length);
  }

  #headOf(chunk: Buffer): PostHead | null {
    const { head } = this.#last;
    if (head && chunk.length >= head.bytes.length && head.bytes.compare(chunk, 0, head.bytes.length) === 0) return head;
    const read = readPostHead(chunk);
    if (read) this.#last.head = read;
    return read;
  }

  #take(receiving: Receiving, chunk: Buffer, from: number): void {
    const { body, bytes } = receiving;
    const to = Math.min(chunk.length, from + body.length - bytes);
    chunk.copy(body, bytes, from, to);
    receiving.bytes += to - from;
    if (receiving.bytes < body.length) return;
    this.#receiving = null;
    this.#isAnswering = true;
    if (to < chunk.length) this.#keepForLater(chunk.subarray(to));
    this.#answer(receiving);
  }

  #answer({ head, handle, memory, body }: Receiving): void {
    const request = {
      headers: head.headers,
      body,
      charge: (bytes: number): VariscaleError | null => {
        const refusal = memory.charge(bytes);
        if (refusal) this.#options.onRefused(head, refusal);
        return refusal;
      },
      onGone: (callback: () => void): void => {
        this.#gone = callback;
      },
    };
    handle(request).then(
      answer => this.#send(answer, memory),
      (error: unknown) => {
        memory.release();
        this.#send(this.#options.failureOf(head.url, error), memory);
      },
    );
  }

  #send(answer: DataResponse, memory: RequestMemory): void {
    this.#gone = null;
    const isLast = this.#options.isClosing() || answer.status === 413;
    const socket = this.#socket;
    memory.leaves(bytesOutside(answer));
    if (socket.writable) {
      writeHttpResponse(socket, answer, isLast ? null : this.#options.keepAliveMs);
      if (isLast) socket.destroySoon();
    }
    this.#done(memory);
    // A client that does not read its answers is not given more of them.
    if (socket.writableNeedDrain) socket.once("drain", this.#goOn);
    else this.#goOn();
  }

  #done(memory: RequestMemory): void {
    memory.release();
    this.#options.onBusy(-1);
  }

  #keepForLater(chunk: Buffer): void {
    const kept = unshared(chunk);
    if (kept !== chunk) this.#options.valve.passed(kept.length);
    this.#early.push(kept);
    this.#earlyBytes += kept.length;
    if (this.#earlyBytes >= MAX_EARLY_BYTES || this.#early.length >= MAX_EARLY_CHUNKS) this.#socket.pause();
  }

  /** Takes the next request, or waits for one. */
  readonly #goOn = (): void => {
    this.#isAnswering = false;
    this.#sinceMs = performance.now();
    const [first, ...others] = this.#early;
    if (!first) return;
    const early = others.length === 0 ? first : Buffer.concat(this.#early);
    if (early !== first) this.#options.valve.passed(early.length);
    this.#early = [];
    this.#earlyBytes = 0;
    this.#socket.resume();
    this.#begin(early);
  };

  #handOver(begun: Buffer): void {
    const socket = this.#socket;
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("error", this.#onError);
    socket.off("close", this.#onClose);
    this.#isHandedOver = true;
    this.#options.onEnd(this);
    this.#options.handOver(socket, unshared(begun));
  }
}

/** Of what is sent, what does not lie in the engine's own heap. */
function bytesOutside({ parts = [] }: DataResponse): number {
  let bytes = 0;
  for (const part of parts) if (typeof part !== "string") bytes += part.length;
  return bytes;
}
