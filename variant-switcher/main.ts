import type { Logger } from "pino";
import { type HttpServer, startHttpServer } from "../runtime/http-server.ts";
import { createRegistry, metricsRoute } from "../runtime/process-metrics.ts";
import { packageVersion } from "../runtime/version.ts";
import { adminRoutes } from "./admin-routes.ts";
import { Assignments } from "./assignments.ts";
import { Batcher } from "./batcher.ts";
import type { SwitcherConfig } from "./config.ts";
import { Counters, tellAll } from "./counters.ts";
import { DataServer } from "./data-server.ts";
import type { Follow } from "./follow.ts";
import { KeptAssignment } from "./kept-assignment.ts";
import { oipRoutes } from "./oip-routes.ts";
import { Recovery } from "./recovery.ts";
import { SessionPool } from "./session-pool.ts";
import { type StatusSources, switcherStatus } from "./status.ts";
import { createSwitcherMetrics } from "./switcher-metrics.ts";
import { Switching } from "./switching.ts";

/** How long a starting switcher waits for the scaler's first word. */
const FIRST_WORD_MS = 10_000;
/** How often the overload rule looks at the queue. */
const GUARD_MS = 50;
const MIB = 1024 * 1024;
/** Bodies that are worked on at the same time, beside those that wait in the queue. */
const IN_FLIGHT_FACTOR = 2;

export interface SwitcherOptions {
  readonly config: SwitcherConfig;
  readonly logger: Logger;
  /** How long to wait for the scaler's first Assignment. Default 10 s. */
  readonly firstWordMs?: number;
  /** The script of a session's thread. Default: the one beside this file. */
  readonly workerUrl?: URL;
  /** Shortest time after which a run is taken for hung. Default 10 s. */
  readonly minWatchdogMs?: number;
}

/** A running variant-switcher. */
export interface Switcher {
  readonly ports: { readonly http: number; readonly admin: number; readonly metrics: number };
  /** Turns unready, answers what it has taken in for at most `graceMs`, then ends. */
  close(graceMs: number): Promise<void>;
}

/** Starts a switcher. Resolves when its servers listen; it turns ready when a variant serves. */
export async function startSwitcher(options: SwitcherOptions): Promise<Switcher> {
  const parts = createParts(options);
  const { config, logger } = options;
  const { host, ports, adminHost } = config;
  const data = await DataServer.start({
    host,
    port: ports.http,
    routes: oipRoutes({ config, batcher: parts.batcher, isReady: parts.isReady }),
    logger,
    maxBodyBytes: config.queue.maxBytes + MIB,
    maxInFlightBytes: config.queue.maxBytes * IN_FLIGHT_FACTOR,
  });
  const servers: HttpServer[] = [];
  try {
    servers.push(await startHttpServer({ host: adminHost, port: ports.admin, routes: adminRoutes(parts), logger }));
    servers.push(await startHttpServer({ host, port: ports.metrics, routes: [metricsRoute(parts.registry)], logger }));
  } catch (error) {
    await data.close(0);
    await closeParts(parts, servers);
    throw error;
  }
  const [admin, metrics] = servers;
  const bound = { http: data.port, admin: admin?.port ?? 0, metrics: metrics?.port ?? 0 };
  const follow = await startFollowing(options, parts, bound.http);
  startServing(options, parts);
  let closing: Promise<void> | null = null;
  const close = async (graceMs: number): Promise<void> => {
    parts.drain("it shuts down");
    await data.close(graceMs);
    follow?.close();
    await closeParts(parts, servers);
  };
  return {
    ports: bound,
    close: graceMs => {
      closing ??= close(graceMs);
      return closing;
    },
  };
}

interface Parts extends StatusSources {
  readonly config: SwitcherConfig;
  readonly registry: ReturnType<typeof createRegistry>;
  readonly recovery: Recovery;
  readonly timers: NodeJS.Timeout[];
  /** Turns unready. */
  readonly drain: (reason: string) => void;
}

function createParts({ config, logger, workerUrl, minWatchdogMs }: SwitcherOptions): Parts {
  const counters = new Counters();
  const registry = createRegistry("variant-switcher", packageVersion);
  let draining: string | null = null;
  let started = false;
  const pool = new SessionPool({
    config,
    baseMiB: process.memoryUsage.rss() / MIB,
    serving: () => switching.servedVariant,
    ...(workerUrl && { workerUrl }),
    ...(minWatchdogMs !== undefined && { minWatchdogMs }),
  });
  const metrics = createSwitcherMetrics(registry, {
    stage: config.stage,
    variants: config.variants.map(({ name }) => name),
    queuedRows: () => batcher.queuedRows,
    queueAgeMs: () => batcher.queueAgeMs(),
    servedVariant: () => switching.servedVariant,
    residentVariants: () => pool.residentVariants,
    isProtecting: () => assignments.isProtecting,
  });
  const batcher = new Batcher({
    contract: config.contract,
    limits: config.queue,
    counters,
    observer: tellAll([counters, metrics]),
    refusal: () => draining ?? (started ? null : "no variant is loaded yet"),
    onLost: (session, reason) => {
      switching.lost(session, reason);
      recovery.check();
    },
  });
  const switching = new Switching({
    variants: config.variants,
    pool,
    batcher,
    logger,
    onSwitched: (outcome, switchMs) => {
      started ||= outcome === "done";
      metrics.switched(outcome, switchMs);
    },
  });
  const kept = new KeptAssignment(config.stateFile, logger);
  const assignments = new Assignments({
    switching,
    defaultVariant: config.defaultVariant,
    logger,
    // The disk may be slow: first the scaler is told.
    persist: assignment => void setImmediate(() => kept.write(assignment)),
  });
  const recovery = new Recovery({
    switching,
    pool,
    logger,
    desired: () => assignments.desired(),
    substitutes: () => assignments.substitutes(),
  });
  const isReady = (): boolean => draining === null && switching.servedVariant !== null;
  const drain = (reason: string): void => {
    draining ??= reason;
    assignments.close();
  };
  const guard = setInterval(() => assignments.guard(batcher.queueAgeMs(), performance.now()), GUARD_MS);
  return {
    config,
    registry,
    counters,
    pool,
    batcher,
    switching,
    assignments,
    recovery,
    isReady,
    drain,
    timers: [guard],
  };
}

async function startFollowing(options: SwitcherOptions, parts: Parts, httpPort: number): Promise<Follow | null> {
  const { config, logger } = options;
  const { scalerAddress } = config;
  if (scalerAddress === null) return null;
  const { Follow } = await import("./follow.ts");
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return new Follow({
    config,
    scalerAddress,
    address: config.advertiseAddress ?? `${host}:${httpPort}`,
    assignments: parts.assignments,
    status: () => switcherStatus(parts),
    drain: async () => {
      parts.drain("the scaler drains it");
      await parts.batcher.whenIdle();
    },
    logger,
  });
}

/** With a scaler its first Assignment is waited for; without, or when it stays silent, the switcher decides for itself. */
function startServing(options: SwitcherOptions, parts: Parts): void {
  const { config, logger, firstWordMs = FIRST_WORD_MS } = options;
  const decide = (): void => {
    parts.assignments
      .start(new KeptAssignment(config.stateFile, logger).read())
      .catch((error: unknown) => logger.error({ err: error }, "could not start serving"));
  };
  parts.timers.push(setTimeout(decide, config.scalerAddress === null ? 0 : firstWordMs));
}

async function closeParts(parts: Parts, servers: readonly HttpServer[]): Promise<void> {
  for (const timer of parts.timers) clearTimeout(timer);
  parts.assignments.close();
  parts.recovery.close();
  parts.switching.close();
  parts.batcher.dropAll("not_ready", "the switcher has ended");
  await Promise.all(servers.map(server => server.close(1000)));
  await parts.pool.close();
}
