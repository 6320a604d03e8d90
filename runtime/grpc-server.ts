import type { Socket } from "node:net";
import { format } from "node:util";
import {
  experimental,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerMethodDefinition,
  type ServiceDefinition,
  setLogger,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, protoPath as healthProto } from "grpc-health-check";
import type { Logger } from "pino";
import protobuf from "protobufjs";
import type { ByteBudget } from "./byte-budget.ts";
import { CallBytes } from "./call-bytes.ts";
import type { DecodeLimits } from "./decoded-bytes.ts";
import { loadProtoDefinition, type ProtoFile, protoPath } from "./grpc.ts";
import { MeteredCall, type MeteredMethod } from "./metered-call.ts";
import { MeteredConnection } from "./metered-connection.ts";

/** How long a client may take for a message, and for reading an answer. */
const MESSAGE_WITHIN_MS = 60_000;
const READ_WITHIN_MS = 30_000;
/** How long a client may take to end its side of a call that was answered. */
const END_WITHIN_MS = 10_000;
/** How long bytes wait for room in the budget, until the connection is ended that holds most. */
const ROOM_WITHIN_MS = 1000;
const SWEEP_MS = 5000;
/** For calls to be told that they have no answer. */
const LAST_WORDS_MS = 100;

/**
 * A peer that is gone without a word is noticed after 40 s. No connection has a maximal age: its end would cut KEDA's streams, and
 * every cut makes KEDA wait longer before it opens them again.
 */
export const CHANNEL_OPTIONS = {
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_send_message_length": -1,
  "grpc.enable_channelz": 0,
};

export interface GrpcServerOptions {
  readonly protoFile: ProtoFile;
  /** Full name of the service. */
  readonly serviceName: string;
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
  /** Names that `grpc.health.v1` is asked for, beside that of the service and the empty one of the server. */
  readonly healthNames?: readonly string[];
  /** Whether tools may ask for the .proto file by reflection. */
  readonly isReflected: boolean;
  readonly budget: ByteBudget;
  readonly logger: Logger;
  /** Larger messages are refused before they are read. */
  readonly maxMessageBytes: number;
  readonly maxCallsOfConnection: number;
  readonly decodeLimits: DecodeLimits;
  /** Told of calls that are refused because the budget has no room for them. */
  readonly onNoRoom?: (method: string, metadata: Metadata, message: string) => void;
  /** Shorter in tests. */
  readonly times?: Partial<
    Record<"messageWithinMs" | "readWithinMs" | "endWithinMs" | "roomWithinMs" | "sweepMs", number>
  >;
}

/**
 * A gRPC service with health and, if wanted, reflection, on connections that are handed to it. All of it is served by grpc-js; what arrives is
 * counted on the way there (MeteredConnection), and calls are bounded by an interceptor (MeteredCall).
 */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: Server;
  readonly #health: HealthImplementation;
  readonly #healthNames: readonly string[];
  readonly #methods: ReadonlyMap<string, MeteredMethod>;
  /** Byte strings of a decoded message are views of its bytes, so that these stay in memory; all else is copied. */
  readonly #keepsMessages: boolean;
  /** The connections, with the calls of each that have begun and are not over. */
  readonly #connections = new Map<MeteredConnection, Set<MeteredCall>>();
  readonly #clock = { nowMs: performance.now() };
  readonly #sweep: NodeJS.Timeout;
  #healthTimer: NodeJS.Timeout | undefined;
  #isServing: boolean | null = null;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const { definition, handlers, serviceName, protoFile, isReflected } = options;
    logThrough(options.logger);
    this.#server = new Server({
      ...CHANNEL_OPTIONS,
      "grpc.max_receive_message_length": options.maxMessageBytes,
      "grpc.max_concurrent_streams": options.maxCallsOfConnection,
    });
    this.#methods = meteredMethods(options);
    this.#keepsMessages = [...this.#methods.values()].some(({ requestType }) => hasBytes(requestType));
    this.#server.addService(passBytes(definition), handlers);
    this.#healthNames = ["", serviceName, ...(options.healthNames ?? [])];
    this.#health = new HealthImplementation(
      Object.fromEntries(this.#healthNames.map(name => [name, "NOT_SERVING" as const])),
    );
    this.#health.addToServer(this.#server);
    if (isReflected)
      new ReflectionService({ ...loadProtoDefinition(healthProto), ...loadProtoDefinition(protoFile) }).addToServer(
        this.#server,
      );
    const sweepMs = options.times?.sweepMs ?? SWEEP_MS;
    this.#sweep = setInterval(() => this.#endLate(), sweepMs).unref();
  }

  /** How many calls have begun and are not over. */
  get openCalls(): number {
    let count = 0;
    for (const calls of this.#connections.values()) count += calls.size;
    return count;
  }

  /** Sets what `grpc.health.v1` answers. */
  setServing(isServing: boolean): void {
    if (isServing === this.#isServing) return;
    this.#isServing = isServing;
    for (const name of this.#healthNames) this.#health.setStatus(name, isServing ? "SERVING" : "NOT_SERVING");
  }

  /** Asks `isServing` every so often. */
  followHealth(isServing: () => boolean, everyMs: number): void {
    this.setServing(isServing());
    this.#healthTimer = setInterval(() => this.setServing(isServing()), everyMs).unref();
  }

  /** Serves a connection: plain or decrypted. */
  accept(socket: Socket): void {
    const { budget, maxMessageBytes, times } = this.#options;
    const keepsMessages = this.#keepsMessages;
    const injector = this.#server.createConnectionInjector(
      experimental.createServerCredentialsWithInterceptors(ServerCredentials.createInsecure(), [
        (method, call) => this.#meter(method, call, connection),
      ]),
    );
    const connection = new MeteredConnection({
      socket,
      calls: new CallBytes({ held: budget.hold(), maxMessageBytes, keepsMessages }),
      waitMs: times?.roomWithinMs ?? ROOM_WITHIN_MS,
      onFull: waiting => this.#makeRoom(waiting),
      onRefused: () =>
        this.#end(connection, "it sent headers of more than 16 KiB, or messages compressed or too many at once"),
      onClose: () => {
        this.#connections.delete(connection);
        injector.destroy();
      },
    });
    this.#connections.set(connection, new Set());
    injector.injectConnection(connection);
  }

  /** Takes no new calls, answers those that there are for at most `graceMs`, and tells the others then that it has ended. */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.#healthTimer);
    this.setServing(false);
    // Clients that watch health or ask for reflection would keep the server for as long as they like.
    for (const call of this.#allCalls()) if (call.isOfLibrary) call.sendStatus({ code: status.OK, details: "" });
    // From Node 24 on a server's close() marks its sessions as closed while calls still run, so that tryShutdown() calls back too early.
    const closed = Promise.all(
      [...this.#connections.keys()].map(connection => new Promise<void>(resolve => connection.once("close", resolve))),
    );
    await new Promise<void>(resolve => {
      let timer = setTimeout(() => {
        for (const call of this.#allCalls())
          call.sendStatus({ code: status.UNAVAILABLE, details: "the server ended before the call had an answer" });
        timer = setTimeout(resolve, LAST_WORDS_MS);
      }, graceMs);
      this.#server.tryShutdown(() => {
        void closed.then(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    });
    clearInterval(this.#sweep);
    // The shutdown would wait for ever for a peer that is frozen or cut off: it never closes its side.
    for (const connection of this.#connections.keys()) connection.destroy();
    this.#server.forceShutdown();
  }

  #meter(
    method: ServerMethodDefinition<unknown, unknown>,
    call: ConstructorParameters<typeof MeteredCall>[0],
    connection: MeteredConnection,
  ): MeteredCall {
    const { budget, decodeLimits, onNoRoom = () => undefined } = this.#options;
    return new MeteredCall(call, {
      method: this.#methods.get(method.path) ?? null,
      budget,
      limits: decodeLimits,
      roomToStartBytes: this.#roomToStart(method),
      clock: this.#clock,
      onNoRoom,
      onLargeMetadata: bytes => {
        if (!connection.calls.holdRefusedMetadata(bytes)) this.#end(connection, "its metadata is too large");
      },
      onBegin: begun => this.#connections.get(connection)?.add(begun),
      onOver: over => this.#connections.get(connection)?.delete(over),
    });
  }

  /**
   * Streams of answers stay open for as long as a client likes, so they leave a quarter of the budget to other calls. Calls of a library's service
   * need no room beside that, so that health always answers.
   */
  #roomToStart({ path, requestStream, responseStream }: ServerMethodDefinition<unknown, unknown>): number {
    const { budget, maxMessageBytes } = this.#options;
    if (responseStream && !requestStream) return budget.maxBytes / 4;
    return this.#methods.has(path) ? Math.min(maxMessageBytes, budget.maxBytes / 8) : 0;
  }

  #allCalls(): MeteredCall[] {
    return [...this.#connections.values()].flatMap(calls => [...calls]);
  }

  /**
   * Ends the connection that holds most of messages whose calls its client has not ended. What is worked on gives its bytes back by itself, and
   * open streams, as KEDA's, are no reason to end a connection, however many there are.
   */
  #makeRoom(waiting: MeteredConnection): void {
    let ended = waiting;
    let most = waiting.calls.unfinishedBytes;
    for (const connection of this.#connections.keys()) {
      const { unfinishedBytes } = connection.calls;
      if (unfinishedBytes <= most) continue;
      ended = connection;
      most = unfinishedBytes;
    }
    for (const call of this.#connections.get(ended) ?? []) call.refuseIfAwaiting();
    setTimeout(() => this.#end(ended, "requests need all memory that they may have"), LAST_WORDS_MS).unref();
  }

  /** Looks for what is late. A sweep every few seconds costs less than timers for every call. */
  #endLate(): void {
    const { times } = this.#options;
    const messageWithinMs = times?.messageWithinMs ?? MESSAGE_WITHIN_MS;
    const readWithinMs = times?.readWithinMs ?? READ_WITHIN_MS;
    const endWithinMs = times?.endWithinMs ?? END_WITHIN_MS;
    const nowMs = performance.now();
    this.#clock.nowMs = nowMs;
    for (const [connection, calls] of this.#connections) {
      for (const call of calls) {
        call.endLate(messageWithinMs);
        if (call.isUnread(readWithinMs)) this.#end(connection, "its client does not read answers");
      }
      if (connection.calls.isLate(nowMs, messageWithinMs + endWithinMs, endWithinMs))
        this.#end(connection, "a message or the end of a call did not come");
    }
  }

  #end(connection: MeteredConnection, why: string): void {
    if (connection.destroyed) return;
    const { budget, logger } = this.#options;
    const { remoteAddress: peer, heldBytes } = connection;
    logger.warn({ peer, heldBytes, usedBytes: budget.usedBytes }, `a gRPC connection was ended: ${why}`);
    connection.destroy();
  }
}

/** The same service, whose messages and answers pass as their bytes: MeteredCall decodes and serializes them. */
function passBytes(definition: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(definition).map(([name, method]) => [
    name,
    { ...method, requestDeserialize: (bytes: Buffer) => bytes, responseSerialize: (bytes: Buffer) => bytes },
  ]);
  return Object.fromEntries(methods) as ServiceDefinition;
}

function meteredMethods({ definition, protoFile, serviceName }: GrpcServerOptions): ReadonlyMap<string, MeteredMethod> {
  const service = protobuf.loadSync(protoPath(protoFile)).resolveAll().lookupService(serviceName);
  return new Map(
    Object.values(definition).map(({ path, requestStream, requestDeserialize, responseSerialize }) => {
      const name = path.slice(path.lastIndexOf("/") + 1);
      const requestType = service.methods[name]?.resolvedRequestType;
      if (!requestType) throw new Error(`${protoFile} has no method ${name}`);
      const coding = { decode: requestDeserialize, serialize: responseSerialize };
      return [path, { name, isClientStream: requestStream, requestType, ...coding }];
    }),
  );
}

/** Tells whether a message of this type may hold byte strings. `seen` are the types that were looked at. */
function hasBytes(type: protobuf.Type, seen = new Set<protobuf.Type>()): boolean {
  if (seen.has(type)) return false;
  seen.add(type);
  return type.fieldsArray.some(({ type: name, resolvedType }) =>
    resolvedType instanceof protobuf.Type ? hasBytes(resolvedType, seen) : name === "bytes",
  );
}

/** gRPC's log, which all of its servers and clients of this process share. */
function logThrough(logger: Logger): void {
  setLogger({
    error: (...words) => logger.error(format(...words)),
    info: (...words) => logger.info(format(...words)),
    debug: (...words) => logger.debug(format(...words)),
  });
}
