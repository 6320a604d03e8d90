import type { Logger } from "pino";
import type { ProtoGrpcType } from "../proto/generated/externalscaler.ts";
import type { ByteBudget } from "../runtime/byte-budget.ts";
import { loadProto } from "../runtime/grpc.ts";
import type { ListenOptions } from "../runtime/listen.ts";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import { startGrpcServer } from "./grpc-server.ts";
import { KedaService, type KedaServiceOptions } from "./keda-service.ts";

/** Metadata of a trigger and the names of its ScaledObject are some hundred bytes. */
const MAX_MESSAGE_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 256;
/**
 * KEDA has one connection for all ScaledObjects, with an open stream for each of them: at the limit its polls would wait for ever. Memory
 * does not need the limit, as bytes are counted; it bounds what a call costs beside its bytes.
 */
const MAX_CALLS_OF_CONNECTION = 10_000;
/** Entries of a trigger's metadata are a handful. */
const MAX_OBJECTS = 1024;

export interface KedaServerOptions extends KedaServiceOptions, Omit<ListenOptions, "logger"> {
  /** The port speaks plaintext where it is null. */
  readonly tls: TlsFolder | null;
  readonly budget: ByteBudget;
  readonly logger: Logger;
}

/** KEDA's port. */
export interface KedaServer {
  readonly port: number;
  readonly openStreams: number;
  setServing(serving: boolean): void;
  /** Ends the streams with OK, stops accepting and waits for calls to end; what is left after `graceMs` is cut. */
  close(graceMs: number): Promise<void>;
}

/** Answers KEDA on a port. Throws failed_precondition for one that is taken. */
export async function startKedaServer(options: KedaServerOptions): Promise<KedaServer> {
  const { host, port, portOption, tls, budget, logger, catalogue } = options;
  const service = new KedaService(options);
  catalogue.watch((key, isNew) => {
    if (!isNew) service.recheck(key);
  });
  const { ExternalScaler } = loadProto<ProtoGrpcType>("externalscaler.proto").externalscaler;
  const server = await startGrpcServer({
    host,
    port,
    ...(portOption !== undefined && { portOption }),
    tls,
    budget,
    logger,
    protoFile: "externalscaler.proto",
    serviceName: "externalscaler.ExternalScaler",
    definition: ExternalScaler.service,
    handlers: { ...service.handlers },
    isReflected: true,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    maxConnections: MAX_CONNECTIONS,
    maxCallsOfConnection: MAX_CALLS_OF_CONNECTION,
    decodeLimits: { objects: MAX_OBJECTS },
  });
  return {
    port: server.port,
    get openStreams() {
      return service.openStreams;
    },
    setServing: serving => server.setServing(serving),
    close: graceMs => {
      service.endStreams();
      return server.close(graceMs);
    },
  };
}
