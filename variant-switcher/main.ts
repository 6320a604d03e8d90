import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { ByteBudget } from "../runtime/byte-budget.ts";
import { GrpcPort } from "../runtime/grpc-port.ts";
import type { GrpcServer } from "../runtime/grpc-server.ts";
import { type HttpServer, type Route, startHttpServer } from "../runtime/http-server.ts";
import { metricsRoute } from "../runtime/process-metrics.ts";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import { adminRoutes } from "./admin-routes.ts";
import { DataServer } from "./data-server.ts";
import { restRoutes } from "./rest-routes.ts";
import { ScalerLink } from "./scaler-link.ts";
import { switcherStatus } from "./status.ts";
import { type PartsOptions, SwitcherParts } from "./switcher-parts.ts";

/** How long a starting switcher waits for the scaler's first word. */
const FIRST_WORD_MS = 10_000;
/** How long it waits for a volume to say which model files it has: the look goes on meanwhile. */
const FIRST_LOOK_MS = 2000;
const MAX_GRPC_CONNECTIONS = 1024;
const CLOSE_MS = 1000;
/** Bodies and large answers of the admin and metrics ports, beside the budget of inference: both answer also where that has no room left. */
const CONTROL_BYTES = 8 * 1024 * 1024;
const CONTROL_BODY_BYTES = 64 * 1024;
const CONTROL_CONNECTIONS = 128;

export interface SwitcherOptions extends PartsOptions {
  /** How long to wait for the scaler's first Assignment. Default 10 s. */
  readonly firstWordMs?: number;
  /** How long until certificates towards the scaler that can't be used are looked at again. Default 5 s. */
  readonly linkRetryMs?: number;
}

export type SwitcherPorts = PartsOptions["config"]["ports"];

/** A running variant-switcher. */
export interface Switcher {
  readonly ports: SwitcherPorts;
  /** Turns unready, answers what it is asked until its connections are closed or `graceMs` are over, then ends. */
  close(graceMs: number): Promise<void>;
}

/** Starts a switcher. Resolves when its servers listen; it turns ready when a variant serves. */
export async function startSwitcher(options: SwitcherOptions): Promise<Switcher> {
  const parts = new SwitcherParts(options);
  const servers: Pick<HttpServer, "close">[] = [];
  let tls: TlsFolder | null = null;
  try {
    await Promise.race([parts.missing.look(), sleep(FIRST_LOOK_MS, undefined, { ref: false })]);
    const data = await startData(options, parts);
    servers.push(data);
    const grpc = await startGrpc(options, parts);
    servers.push(grpc);
    const { config, logger } = options;
    const { host, adminHost, ports } = config;
    tls = config.adminTlsFolder === null ? null : await openTls(config.adminTlsFolder, logger);
    const control = {
      budget: new ByteBudget(CONTROL_BYTES),
      maxConnections: CONTROL_CONNECTIONS,
      maxBodyBytes: CONTROL_BODY_BYTES,
    };
    const admin = await startHttpServer({
      ...control,
      tls,
      host: adminHost,
      port: ports.admin,
      portOption: "--admin-port",
      routes: adminRoutes({ ...parts, drain: () => parts.drain() }),
      logger,
    });
    servers.push(admin);
    const routes = [metricsRoute(parts.registry), ...probeRoutes(parts)];
    const metrics = await startHttpServer({
      ...control,
      host,
      port: ports.metrics,
      portOption: "--metrics-port",
      routes,
      logger,
    });
    servers.push(metrics);
    const link = linkToScaler(options, parts, data.port);
    const firstWord = startServing(options, parts);
    const close = async (graceMs: number): Promise<void> => {
      parts.end();
      clearTimeout(firstWord);
      await Promise.all([data.close(graceMs), grpc.close(graceMs)]);
      link?.close();
      await Promise.all([parts.close(), admin.close(CLOSE_MS), metrics.close(CLOSE_MS)]);
      tls?.close();
    };
    let closing: Promise<void> | null = null;
    return {
      ports: { http: data.port, grpc: grpc.port, admin: admin.port, metrics: metrics.port },
      close: graceMs => {
        closing ??= close(graceMs);
        return closing;
      },
    };
  } catch (error) {
    await Promise.all([parts.close(), ...servers.map(server => server.close(0))]);
    tls?.close();
    throw error;
  }
}

/** The certificates of the admin endpoint: their code is loaded where there is need of it. */
async function openTls(folder: string, logger: Logger): Promise<TlsFolder> {
  const { TlsFolder } = await import("../runtime/tls-folder.ts");
  return await TlsFolder.open({ folder, logger });
}

/** All processes are probed alike, so a switcher has these beside the probes of the Open Inference Protocol. */
function probeRoutes(parts: SwitcherParts): readonly Route[] {
  return [
    { method: "GET", path: "/healthz", handle: () => ({ status: 200, body: { alive: true } }) },
    {
      method: "GET",
      path: "/readyz",
      handle: () => ({ status: parts.isReady() ? 200 : 503, body: { ready: parts.isReady() } }),
    },
  ];
}

function startData({ config, logger }: SwitcherOptions, { limits, plane }: SwitcherParts): Promise<DataServer> {
  const { host, ports } = config;
  const { budget, maxRequestBytes: maxBodyBytes } = limits;
  const routes = restRoutes(plane, limits);
  const listening = { host, port: ports.http, portOption: "--http-port", logger };
  return DataServer.start({ ...listening, routes, maxBodyBytes, budget });
}

/** The port of the gRPC API. gRPC's code is loaded with the first connection: a pod whose clients speak REST needs 15 MiB less. */
function startGrpc({ config, logger }: SwitcherOptions, { limits, plane }: SwitcherParts): Promise<GrpcPort> {
  const { host, ports } = config;
  const { budget, maxRequestBytes: maxMessageBytes } = limits;
  const load = async (): Promise<GrpcServer> => {
    const { createInferenceServer } = await import("./grpc-server.ts");
    return createInferenceServer({ plane, maxMessageBytes, budget, logger });
  };
  const listening = { host, port: ports.grpc, portOption: "--grpc-port", logger };
  return GrpcPort.start({ ...listening, tls: null, maxConnections: MAX_GRPC_CONNECTIONS, load });
}

function linkToScaler(options: SwitcherOptions, parts: SwitcherParts, httpPort: number): ScalerLink | null {
  const { config, logger, linkRetryMs } = options;
  const { scalerAddress } = config;
  if (scalerAddress === null) return null;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return new ScalerLink({
    config,
    scalerAddress,
    address: config.advertiseAddress ?? `${host}:${httpPort}`,
    switching: parts.switching,
    status: () => switcherStatus(parts),
    drain: () => parts.drain(),
    registry: parts.registry,
    ...(linkRetryMs !== undefined && { retryMs: linkRetryMs }),
    logger,
  });
}

/** With a scaler its first Assignment is waited for; without, or when it stays silent, the switcher decides for itself. */
function startServing(options: SwitcherOptions, parts: SwitcherParts): NodeJS.Timeout {
  const { config, firstWordMs = FIRST_WORD_MS } = options;
  const decide = (): void => parts.switching.tell({ kind: "start", last: parts.kept.read() });
  return setTimeout(decide, config.scalerAddress === null ? 0 : firstWordMs);
}
