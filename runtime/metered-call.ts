import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import type protobuf from "protobufjs";
import type { ByteBudget } from "./byte-budget.ts";
import { SLOWEST_BYTES_PER_MS } from "./connection-limits.ts";
import { type DecodeLimits, estimateDecodedBytes, TooManyObjects } from "./decoded-bytes.ts";

type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];
type Status = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

/** gRPC's own default; clients know it. */
const MOST_METADATA_BYTES = 8192;
const METADATA_ENTRY_BYTES = 32;
/** Answers that may wait in a call for its client to read them; then no further question of it is read. */
const MOST_UNREAD = 16;
/** Told to clients that retry by themselves. */
const RETRY_PUSHBACK_MS = "1000";

/** A method whose messages are decoded by a MeteredCall, once there is room for them, and whose answers it serializes, to know their size. */
export interface MeteredMethod {
  readonly name: string;
  readonly isClientStream: boolean;
  readonly requestType: protobuf.Type;
  readonly decode: (bytes: Buffer) => unknown;
  readonly serialize: (answer: unknown) => Buffer;
}

/** The time of the last sweep: cheap to ask for every call, and good enough for times of many seconds. */
export interface CoarseClock {
  readonly nowMs: number;
}

export interface MeteredCallOptions {
  /** It is null for a method of a library's service, which decodes and serializes by itself. */
  readonly method: MeteredMethod | null;
  readonly budget: ByteBudget;
  readonly limits: DecodeLimits;
  /** A call begins only while there is so much room in the budget; with 0 it always does. */
  readonly roomToStartBytes: number;
  readonly clock: CoarseClock;
  readonly onNoRoom: (method: string, metadata: Metadata, message: string) => void;
  /** Told of metadata that is refused for its size, which stays in memory until the client has ended the call. */
  readonly onLargeMetadata: (bytes: number) => void;
  /** It is not called for a call that its client resets at once: grpc-js never tells that such a call is over. */
  readonly onBegin: (call: MeteredCall) => void;
  readonly onOver: (call: MeteredCall) => void;
}

/** A call of a gRPC server whose message must come in time, fit into the budget before it is decoded, and whose answer must be read in time. */
export class MeteredCall extends ServerInterceptingCall {
  readonly #options: MeteredCallOptions;
  readonly #held;
  #metadata = new Metadata();
  /** The time since which a message is awaited; null where none is. */
  #awaitsSinceMs: number | null = null;
  /** The time since which the oldest answer lies unread; null where none does. */
  #unreadSinceMs: number | null = null;
  #unread = 0;
  #unreadBytes = 0;
  #isReadDelayed = false;
  #isRefused = false;

  constructor(call: ServerInterceptingCallInterface, options: MeteredCallOptions) {
    super(call);
    this.#options = options;
    this.#held = options.budget.hold();
  }

  get isOfLibrary(): boolean {
    return this.#options.method === null;
  }

  /** Whether answers lie unread for longer than this, beside the time that their bytes take at the slowest pace that is allowed. */
  isUnread(withinMs: number): boolean {
    if (this.#unreadSinceMs === null) return false;
    return this.#options.clock.nowMs - this.#unreadSinceMs > withinMs + this.#unreadBytes / SLOWEST_BYTES_PER_MS;
  }

  /** Ends the call where its message is awaited for longer than this. */
  endLate(withinMs: number): void {
    if (this.#awaitsSinceMs === null || this.#options.clock.nowMs - this.#awaitsSinceMs <= withinMs) return;
    this.#refuse(status.DEADLINE_EXCEEDED, `the message did not come within ${withinMs / 1000} s`);
  }

  /** Refuses the call where its message is still awaited: there is no room for it. */
  refuseIfAwaiting(): void {
    if (this.#awaitsSinceMs !== null) this.#refuseForRoom();
  }

  override start(listener: Listener): void {
    super.start({
      onReceiveMetadata: metadata => this.#begin(metadata, listener),
      onReceiveMessage: message => this.#receive(message, listener),
      onReceiveHalfClose: () => {
        this.#awaitsSinceMs = null;
        if (!this.#isRefused) listener.onReceiveHalfClose();
      },
      onCancel: () => {
        this.#awaitsSinceMs = null;
        this.#unreadSinceMs = null;
        this.#held.release();
        this.#options.onOver(this);
        listener.onCancel();
      },
    });
  }

  override startRead(): void {
    if (this.#unread >= MOST_UNREAD) this.#isReadDelayed = true;
    else super.startRead();
  }

  override sendMessage(message: unknown, callback: () => void): void {
    const serialized = this.#serialize(message);
    if (serialized === null) return;
    this.#unread += 1;
    this.#unreadBytes += serialized.length;
    this.#unreadSinceMs ??= this.#options.clock.nowMs;
    super.sendMessage(serialized.answer, () => {
      this.#unread -= 1;
      this.#unreadBytes -= serialized.length;
      this.#unreadSinceMs = this.#unread > 0 ? this.#options.clock.nowMs : null;
      if (this.#isReadDelayed && this.#unread < MOST_UNREAD) {
        this.#isReadDelayed = false;
        super.startRead();
      }
      callback();
    });
  }

  #begin(metadata: Metadata, listener: Listener): void {
    const { budget, roomToStartBytes, clock, onBegin, onLargeMetadata } = this.#options;
    onBegin(this);
    const tooLong = findTooLong(metadata);
    if (tooLong) {
      this.#refuse(status.RESOURCE_EXHAUSTED, tooLong.problem);
      onLargeMetadata(tooLong.bytes);
      return;
    }
    this.#metadata = metadata;
    if (roomToStartBytes > 0 && budget.usedBytes + roomToStartBytes > budget.maxBytes) this.#refuseForRoom();
    else {
      this.#awaitsSinceMs = clock.nowMs;
      listener.onReceiveMetadata(metadata);
    }
  }

  #receive(message: unknown, listener: Listener): void {
    const { method } = this.#options;
    if (this.#isRefused) return;
    if (!method || method.isClientStream) this.#awaitsSinceMs = null;
    if (!method) {
      listener.onReceiveMessage(message);
      return;
    }
    const decoded = this.#decode(method, message as Buffer);
    if (decoded === null) return;
    listener.onReceiveMessage(decoded);
    // The handler of a stream has taken the message now. If its bytes were held until the next one, idle streams would fill the budget.
    if (method.isClientStream) this.#held.give(this.#held.bytes);
  }

  /** Returns null where the call was refused. */
  #decode({ requestType, decode }: MeteredMethod, bytes: Buffer): unknown {
    try {
      if (this.#held.take(estimateDecodedBytes(requestType, bytes, this.#options.limits))) return decode(bytes);
      this.#refuseForRoom();
    } catch (thrown) {
      if (thrown instanceof TooManyObjects) this.#refuse(status.RESOURCE_EXHAUSTED, thrown.message);
      else this.#refuse(status.INTERNAL, "Error deserializing request");
    }
    return null;
  }

  /** Returns the answer as grpc-js takes it, and its size where it is known; null where the call was ended because it can't be serialized. */
  #serialize(answer: unknown): { readonly answer: unknown; readonly length: number } | null {
    const { method } = this.#options;
    if (!method) return { answer, length: 0 };
    try {
      const bytes = method.serialize(answer);
      return { answer: bytes, length: bytes.length };
    } catch {
      this.#refuse(status.INTERNAL, "Error serializing response");
      return null;
    }
  }

  #refuseForRoom(): void {
    const { method, budget, onNoRoom } = this.#options;
    const message = `${budget.usedBytes} bytes of requests are being worked on`;
    if (method) onNoRoom(method.name, this.#metadata, message);
    const metadata = new Metadata();
    metadata.set("grpc-retry-pushback-ms", RETRY_PUSHBACK_MS);
    this.#refuse(status.RESOURCE_EXHAUSTED, message, metadata);
  }

  #refuse(code: status, details: string, metadata: Metadata | null = null): void {
    this.#isRefused = true;
    this.#awaitsSinceMs = null;
    this.sendStatus({ code, details, metadata } satisfies Status);
  }
}

/** Says which entry makes the metadata too long, and its size; null: it is short enough. */
function findTooLong(metadata: Metadata): { readonly bytes: number; readonly problem: string } | null {
  let bytes = 0;
  let longest = { key: "", length: 0 };
  for (const key of Object.keys(metadata.getMap()))
    for (const { length } of metadata.get(key)) {
      bytes += METADATA_ENTRY_BYTES + key.length + length;
      if (length > longest.length) longest = { key, length };
    }
  if (bytes <= MOST_METADATA_BYTES) return null;
  const what = longest.key === "authorization" ? "the token of" : "the entry";
  const problem = `${what} \`${longest.key}\` is too long: it has ${longest.length} characters, and all metadata of a call may have ${MOST_METADATA_BYTES} bytes`;
  return { bytes, problem };
}
