import { ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import type { ProtoGrpcType } from "../proto/generated/switcher.ts";
import { loadProto } from "../runtime/grpc.ts";
import { type HttpServer, type Route, startHttpServer } from "../runtime/http-server.ts";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import type { FollowService } from "./follow-service.ts";
import { type GrpcServer, startGrpcServer } from "./grpc-server.ts";
import { type KedaServer, startKedaServer } from "./keda-server.ts";
import type { KedaServiceOptions } from "./keda-service.ts";
import type { KedaThreadOptions } from "./keda-thread.ts";

const MOST_SWITCHER_BYTES = 1024 * 1024;

export interface ServersOptions {
  readonly host: string;
  /** Of the HTTP port alone. Default: `host`. */
  readonly httpHost?: string;
  /** 0: one that is free. */
  readonly ports: { readonly keda: number; readonly switchers: number; readonly http: number };
  /** Of KEDA and switchers; null or missing: plaintext. */
  readonly tls?: TlsFolder | null;
  /** KEDA is answered by a thread of its own, which has the wall clock; of another script than its own where that is given. Default false. */
  readonly kedaThread?: boolean | { readonly workerUrl: URL };
  readonly keda: KedaServiceOptions;
  readonly follow: FollowService;
  readonly routes: readonly Route[];
  readonly logger: Logger;
}

/** The ports of the scaler. */
export interface Servers {
  readonly keda: KedaServer;
  readonly switchers: GrpcServer;
  readonly http: HttpServer;
}

/** Opens all ports, or none: throws failed_precondition for one that is taken. */
export async function startServers(options: ServersOptions): Promise<Servers> {
  const { host, ports, keda, kedaThread, follow, routes, logger } = options;
  const tls = options.tls ?? null;
  const credentials = tls?.serverCredentials ?? ServerCredentials.createInsecure();
  const { SwitcherControl } = loadProto<ProtoGrpcType>("switcher.proto").variscale.switcher.v1;
  const opened: { close(graceMs: number): Promise<void> }[] = [];
  const open = async <S extends { close(graceMs: number): Promise<void> }>(starting: Promise<S>): Promise<S> => {
    const server = await starting;
    opened.push(server);
    return server;
  };
  try {
    const at = { ...keda, host, port: ports.keda };
    const kedaServer = await open(
      kedaThread
        ? startKedaThread({ ...at, ...(kedaThread !== true && kedaThread), tls })
        : startKedaServer({ ...at, credentials }),
    );
    const switchers = await open(
      startGrpcServer({
        host,
        port: ports.switchers,
        credentials,
        serviceName: "variscale.switcher.v1.SwitcherControl",
        definition: SwitcherControl.service,
        streams: follow.streams,
        reflected: null,
        mostMessageBytes: MOST_SWITCHER_BYTES,
      }),
    );
    const http = await open(
      startHttpServer({ host: options.httpHost ?? host, port: ports.http, routes, logger, maxBodyBytes: 64 * 1024 }),
    );
    return { keda: kedaServer, switchers, http };
  } catch (error) {
    await Promise.all(opened.map(server => server.close(0)));
    throw VariscaleError.from(error);
  }
}

/** Loaded for those alone who ask for it. */
async function startKedaThread(options: KedaThreadOptions): Promise<KedaServer> {
  const { KedaThread } = await import("./keda-thread.ts");
  return await KedaThread.start(options);
}
