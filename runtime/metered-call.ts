import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import type protobuf from "protobufjs";
import type { ByteBudget } from "./byte-budget.ts";
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

/** A method whose messages are decoded by a MeteredCall, once there is room for them. */
export interface MeteredMethod {
  readonly name: string;
  readonly isClientStream: boolean;
  readonly requestType: protobuf.Type;
  readonly decode: (bytes: Buffer) => unknown;
}

/** The time of the last sweep: cheap to ask for every call, and good enough for times of many seconds. */
export interface CoarseClock {
  readonly nowMs: number;
}

export interface MeteredCallOptions {
  /** It is null for a method of a library's service, which decodes by itself. */
  readonly method: MeteredMethod | null;
  readonly budget: ByteBudget;
  readonly limits: DecodeLimits;
  /** A call begins only while there is so much room in the budget. */
  readonly roomToStartBytes: number;
  readonly clock: CoarseClock;
  readonly onNoRoom: (method: string, metadata: Metadata, message: string) => void;
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

  /** Whether an answer lies unread for longer than this. */
  isUnread(withinMs: number): boolean {
    return this.#unreadSinceMs !== null && this.#options.clock.nowMs - this.#unreadSinceMs > withinMs;
  }

  /** Ends the call where its message is awaited for longer than this. */
  endLate(withinMs: number): void {
    if (this.#awaitsSinceMs === null || this.#options.clock.nowMs - this.#awaitsSinceMs <= withinMs) return;
    this.#refuse(status.DEADLINE_EXCEEDED, `the message did not come within ${withinMs / 1000} s`);
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
    this.#unread += 1;
    this.#unreadSinceMs ??= this.#options.clock.nowMs;
    super.sendMessage(message, () => {
      this.#unread -= 1;
      this.#unreadSinceMs = this.#unread > 0 ? this.#options.clock.nowMs : null;
      if (this.#isReadDelayed && this.#unread < MOST_UNREAD) {
        this.#isReadDelayed = false;
        super.startRead();
      }
      callback();
    });
  }

  #begin(metadata: Metadata, listener: Listener): void {
    const { budget, roomToStartBytes, clock } = this.#options;
    this.#metadata = metadata;
    if (countBytes(metadata) > MOST_METADATA_BYTES)
      this.#refuse(status.RESOURCE_EXHAUSTED, `the metadata has more than ${MOST_METADATA_BYTES} bytes`);
    else if (budget.usedBytes + roomToStartBytes > budget.maxBytes) this.#refuseForRoom();
    else {
      this.#awaitsSinceMs = clock.nowMs;
      listener.onReceiveMetadata(metadata);
    }
  }

  #receive(message: unknown, listener: Listener): void {
    const { method } = this.#options;
    if (this.#isRefused) return;
    if (!method) {
      listener.onReceiveMessage(message);
      return;
    }
    if (method.isClientStream) {
      this.#awaitsSinceMs = null;
      this.#held.give(this.#held.bytes);
    }
    const decoded = this.#decode(method, message as Buffer);
    if (decoded !== null) listener.onReceiveMessage(decoded);
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

function countBytes(metadata: Metadata): number {
  let bytes = 0;
  for (const key of Object.keys(metadata.getMap()))
    for (const value of metadata.get(key)) bytes += METADATA_ENTRY_BYTES + key.length + value.length;
  return bytes;
}
