import type { ServerCredentials } from "@grpc/grpc-js";
import type { ProtoGrpcType } from "../proto/generated/externalscaler.ts";
import { loadProto } from "../runtime/grpc.ts";
import { startGrpcServer } from "./grpc-server.ts";
import { KedaService, type KedaServiceOptions } from "./keda-service.ts";

/** Metadata of a trigger and the names of its ScaledObject are some hundred bytes. */
const MOST_MESSAGE_BYTES = 64 * 1024;

export interface KedaServerOptions extends KedaServiceOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly credentials: ServerCredentials;
}

/** KEDA's port. */
export interface KedaServer {
  readonly port: number;
  readonly openStreams: number;
  /** How long ago it was last known to go on. */
  readonly silentMs: number;
  setServing(serving: boolean): void;
  /** Ends the streams with OK, stops accepting and waits for calls to end; what is left after `graceMs` is cut. */
  close(graceMs: number): Promise<void>;
}

/** Answers KEDA on a port. Throws failed_precondition for one that is taken. */
export async function startKedaServer(options: KedaServerOptions): Promise<KedaServer> {
  const { host, port, credentials, catalogue } = options;
  const service = new KedaService(options);
  catalogue.watch((key, isNew) => {
    if (!isNew) service.recheck(key);
  });
  const { ExternalScaler } = loadProto<ProtoGrpcType>("externalscaler.proto").externalscaler;
  const server = await startGrpcServer({
    host,
    port,
    credentials,
    serviceName: "externalscaler.ExternalScaler",
    definition: ExternalScaler.service,
    unary: service.unary,
    streams: service.streams,
    reflected: "externalscaler.proto",
    mostMessageBytes: MOST_MESSAGE_BYTES,
  });
  return {
    port: server.port,
    get openStreams() {
      return service.openStreams;
    },
    silentMs: 0,
    setServing: serving => server.setServing(serving),
    close: graceMs => {
      service.endStreams();
      return server.close(graceMs);
    },
  };
}
