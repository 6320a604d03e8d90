import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import type { ProtoGrpcType } from "../proto/generated/switcher.ts";
import { ByteBudget } from "../runtime/byte-budget.ts";
import { loadProto } from "../runtime/grpc.ts";
import { type HttpServer, type Route, startHttpServer } from "../runtime/http-server.ts";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import type { FollowService } from "./follow-service.ts";
import { type StartedGrpcServer, startGrpcServer } from "./grpc-server.ts";
import { type KedaServer, startKedaServer } from "./keda-server.ts";
import type { KedaServiceOptions } from "./keda-service.ts";

const MIB = 1024 * 1024;
const MAX_SWITCHER_MESSAGE_BYTES = MIB;
/** A switcher has a connection of its own, and on it one stream, or two while the older one ends. Probes ask for health. */
const MAX_SWITCHER_CONNECTIONS = 4096;
const MAX_CALLS_OF_SWITCHER_CONNECTION = 8;
/** A measured time is three objects; 1024 batch sizes of each of 5 variants are 15,360, and there is as much room again for the rest. */
const MAX_SWITCHER_OBJECTS = 32_768;
/**
 * The messages and open calls of each port have memory of their own, so that nobody who reaches one port can starve another. Of the 384 MiB that the
 * chart gives a scaler they have 152 MiB together. KEDA holds a stream open for each of its ScaledObjects; the metrics of a thousand pipelines are
 * some 25 MiB of text.
 */
const BUDGET_BYTES = { keda: 96 * MIB, switchers: 24 * MIB, http: 32 * MIB };

export interface ServersOptions {
  readonly host: string;
  /** The HTTP port listens on another host where this is given. */
  readonly httpHost?: string;
  /** 0: one that is free. */
  readonly ports: { readonly keda: number; readonly switchers: number; readonly http: number };
  /** KEDA's and the switchers' ports speak plaintext where it is null or missing. */
  readonly tls?: TlsFolder | null;
  readonly keda: KedaServiceOptions;
  readonly follow: FollowService;
  readonly routes: readonly Route[];
  readonly logger: Logger;
}

/** The ports of the scaler. */
export interface Servers {
  readonly keda: KedaServer;
  readonly switchers: StartedGrpcServer;
  readonly http: HttpServer;
}

/** Opens all ports, or none: throws failed_precondition for one that is taken. */
export async function startServers(options: ServersOptions): Promise<Servers> {
  const { host, ports, keda, follow, routes, logger } = options;
  const tls = options.tls ?? null;
  const { SwitcherControl } = loadProto<ProtoGrpcType>("switcher.proto").variscale.switcher.v1;
  const opened: { close(graceMs: number): Promise<void> }[] = [];
  const open = async <S extends { close(graceMs: number): Promise<void> }>(starting: Promise<S>): Promise<S> => {
    const server = await starting;
    opened.push(server);
    return server;
  };
  try {
    const kedaServer = await open(
      startKedaServer({
        ...keda,
        host,
        port: ports.keda,
        portOption: "--keda-port",
        tls,
        budget: new ByteBudget(BUDGET_BYTES.keda),
        logger,
      }),
    );
    const switchers = await open(
      startGrpcServer({
        host,
        port: ports.switchers,
        portOption: "--switcher-port",
        tls,
        budget: new ByteBudget(BUDGET_BYTES.switchers),
        logger,
        protoFile: "switcher.proto",
        serviceName: "variscale.switcher.v1.SwitcherControl",
        definition: SwitcherControl.service,
        handlers: { ...follow.streams },
        isReflected: false,
        maxMessageBytes: MAX_SWITCHER_MESSAGE_BYTES,
        maxConnections: MAX_SWITCHER_CONNECTIONS,
        maxCallsOfConnection: MAX_CALLS_OF_SWITCHER_CONNECTION,
        decodeLimits: { objects: MAX_SWITCHER_OBJECTS },
      }),
    );
    const http = await open(
      startHttpServer({
        host: options.httpHost ?? host,
        port: ports.http,
        portOption: "--http-port",
        routes,
        logger,
        budget: new ByteBudget(BUDGET_BYTES.http),
        maxBodyBytes: 64 * 1024,
      }),
    );
    return { keda: kedaServer, switchers, http };
  } catch (error) {
    await Promise.all(opened.map(server => server.close(0)));
    throw VariscaleError.from(error);
  }
}
