import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { CallBytes } from "./call-bytes.ts";

const TRY_AGAIN_MS = 5;

export interface MeteredConnectionOptions {
  /** Plain or decrypted. */
  readonly socket: Socket;
  readonly calls: CallBytes;
  /** How long the connection waits for room in the budget until `onFull` is called. */
  readonly waitMs: number;
  readonly onFull: (connection: MeteredConnection) => void;
  /** The client sent what `calls` refuses: the connection is to be ended. */
  readonly onRefused: (connection: MeteredConnection) => void;
  readonly onClose: (connection: MeteredConnection) => void;
}

type Callback = (error?: Error | null) => void;

/**
 * A connection whose bytes are counted as they pass. Where the budget has no room for what has come, nothing more is read from the client
 * until there is room, so that it is the client who waits.
 */
export class MeteredConnection extends Duplex {
  readonly #options: MeteredConnectionOptions;
  /** These bytes have come and were not passed on. */
  #rest: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #waitingSinceMs: number | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MeteredConnectionOptions) {
    super();
    this.#options = options;
    const { socket } = options;
    socket.on("data", (chunk: Buffer) => {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      this.#passOn();
    });
    socket.once("end", () => {
      this.#hasEnded = true;
      this.#passOn();
    });
    socket.once("error", () => this.destroy());
    socket.once("close", () => this.destroy());
  }

  get heldBytes(): number {
    return this.#options.calls.heldBytes;
  }

  get calls(): CallBytes {
    return this.#options.calls;
  }

  get remoteAddress(): string | undefined {
    return this.#options.socket.remoteAddress;
  }

  override _read(): void {
    if (this.#waitingSinceMs === null) this.#options.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#options.calls.send(chunk);
    this.#options.socket.write(chunk, callback);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], callback: Callback): void {
    const { socket, calls } = this.#options;
    socket.cork();
    for (const [i, { chunk }] of chunks.entries()) {
      calls.send(chunk);
      if (i < chunks.length - 1) socket.write(chunk);
      else socket.write(chunk, callback);
    }
    socket.uncork();
  }

  override _final(callback: Callback): void {
    this.#options.socket.end(() => callback());
  }

  override _destroy(error: Error | null, callback: Callback): void {
    clearTimeout(this.#timer);
    this.#rest = Buffer.alloc(0);
    this.#options.socket.destroy();
    this.#options.calls.release();
    this.#options.onClose(this);
    callback(error);
  }

  #passOn(): void {
    const { calls, socket } = this.#options;
    let wantsMore = true;
    let hasWaited = false;
    while (this.#rest.length > 0 && !this.destroyed) {
      const bytes = calls.receive(this.#rest);
      if (bytes === 0) {
        this.#wait();
        return;
      }
      const piece = this.#rest.subarray(0, bytes);
      this.#rest = this.#rest.subarray(bytes);
      if (calls.isRefused) {
        this.#options.onRefused(this);
        return;
      }
      hasWaited ||= this.#waitingSinceMs !== null;
      this.#waitingSinceMs = null;
      wantsMore = this.push(piece);
    }
    if (this.destroyed) return;
    if (this.#hasEnded) this.push(null);
    else if (!wantsMore) socket.pause();
    else if (hasWaited) socket.resume();
  }

  #wait(): void {
    const { socket, waitMs, onFull } = this.#options;
    socket.pause();
    const nowMs = performance.now();
    this.#waitingSinceMs ??= nowMs;
    if (nowMs - this.#waitingSinceMs > waitMs) {
      this.#waitingSinceMs = nowMs;
      onFull(this);
      if (this.destroyed) return;
    }
    this.#timer = setTimeout(() => this.#passOn(), TRY_AGAIN_MS);
  }
}
