import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import { showsToken } from "../runtime/bearer-token.ts";
import type { HttpRequestHead, HttpResponse, Route } from "../runtime/http-server.ts";
import { isLoopbackAddress, namesNoForeignSite } from "../runtime/loopback.ts";
import { boardMetrics } from "./board-metrics.ts";
import type { Boards } from "./board-store.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { WatchedPipelinesOptions } from "./cluster-pipelines.ts";
import { FollowService } from "./follow-service.ts";
import { answeredByLeader } from "./forward-to-leader.ts";
import { httpApiRoutes } from "./http-api.ts";
import type { KedaServer } from "./keda-server.ts";
import { showStreams } from "./metrics.ts";
import { type ChangeAccess, describeChanges, refuseWithoutToken } from "./mutation-access.ts";
import { pageFileRoutes } from "./page-files.ts";
import { PipelineFile, type PipelineFileOptions } from "./pipeline-files.ts";
import { type SwitcherPage, showSwitcher } from "./pipeline-page.ts";
import type { PipelineSet } from "./pipeline-set.ts";
import { type PipelineSources, startPipelineSources } from "./pipeline-sources.ts";
import type { OnRefused } from "./refusals.ts";
import { openScalerCore, type ScalerCore, type ScalerCoreOptions } from "./scaler-core.ts";
import { type Servers, type ServersOptions, startServers } from "./servers.ts";
import type { SwitcherIdentity } from "./switcher-identity.ts";

/** GetMetrics fails when the board is older: KEDA's `fallback` takes over. */
const STALE_AFTER_MS = 30_000;
/** From the end of the streams until connections are cut. */
const CLOSE_WITHIN_MS = 3000;

export interface ScalerOptions
  extends Omit<ScalerCoreOptions, "clock" | "staleAfterMs" | "onPass" | "onLost">,
    Pick<ServersOptions, "host" | "httpHost" | "ports"> {
  /** Pipelines that are read from files, at the start and when these change; beside `pipelines`, which stay as they are. */
  readonly pipelineFiles?: readonly PipelineFileOptions[];
  /** Pipelines that objects of a cluster describe; null or missing: none are. The scaler is ready when it has seen them. */
  readonly watchedPipelines?: WatchedPipelinesOptions | null;
  /** The token that changes over HTTP must show. Without one, changes are taken from this machine alone, and in a cluster from nobody. */
  readonly token?: string | null;
  /** Names in small letters that requests may have in their Host header on a loopback address: those of a proxy beside the scaler. Default: none. */
  readonly allowedHosts?: readonly string[];
  /** It runs in a pod, as those of highAvailability do. Default: it does not. */
  readonly isInCluster?: boolean;
  /** How it is known who a switcher is; null or missing: it is who it says it is. Closed with the scaler. */
  readonly switcherIdentity?: SwitcherIdentity | null;
  /** Default: the wall clock. */
  readonly clock?: Clock;
  /** GetMetrics fails when the newest tick is longer ago. Default 30,000. */
  readonly staleAfterMs?: number;
  /** Told of ScaledObjects that name no pipeline or stage; the log tells it in any case. */
  readonly onRefused?: OnRefused;
}

export interface Scaler {
  readonly ports: ServersOptions["ports"];
  readonly boards: Boards;
  /** Resolves when all pipelines that there were at the start are taken or refused. */
  readonly ready: Promise<void>;
  /** What is put into it or removed takes effect at once. */
  readonly pipelines: Pick<PipelineSet, "put" | "remove" | "pipelines">;
  /** Switchers whose streams are open. */
  switchers(key: PipelineKey): readonly SwitcherPage[];
  /** Health NOT_SERVING → streams end with OK → calls end, or are cut after 3 s; state is stored. */
  close(): Promise<void>;
}

/**
 * Starts the control plane: the loop, KEDA's external scaler, the switchers' stream and the HTTP API.
 *
 * Throws invalid_argument for options that contradict each other and failed_precondition for a port that is taken.
 */
export async function startScaler(options: ScalerOptions): Promise<Scaler> {
  const clock = options.clock ?? systemClock;
  const staleAfterMs = options.staleAfterMs ?? STALE_AFTER_MS;
  const files = (options.pipelineFiles ?? []).map(file => new PipelineFile(file));
  const pipelines = [...options.pipelines, ...files.map(({ pipeline }) => pipeline)];
  const core = await openScalerCore({
    ...options,
    pipelines,
    clock,
    staleAfterMs,
    onPass: () => follow.sweep(),
    onLost: () => follow.sendAway(),
  });
  const { catalogue, boards, leadership, highAvailability, registry, observeCall } = core;
  const context = { catalogue, clock, observe: observeCall, logger: options.logger };
  const keda = {
    ...context,
    boards: core.answered,
    staleAfterMs,
    onRefused: (scaledObject, refusal) => {
      core.cluster?.onRefused(scaledObject, refusal);
      options.onRefused?.(scaledObject, refusal);
    },
  } satisfies ServersOptions["keda"];
  const follow = new FollowService({
    ...context,
    boards,
    registry,
    leadership,
    onSwitch: seconds => core.metrics.switchSeconds.observe(seconds),
    identity: options.switcherIdentity ?? null,
    onIdentified: outcome => core.metrics.identityChecks.inc({ outcome }),
  });
  core.pipelines.onChange(key => follow.recheck(key));
  await core.pipelines.start();
  core.loop.start();
  core.trainer?.start();
  const life: Life = { isReady: false, keda: null, sources: null };
  showStreams(core.prometheus, { keda: () => life.keda?.openStreams ?? 0, switchers: () => follow.openStreams });
  let servers: Servers;
  try {
    servers = await startServers({ ...options, keda, follow, routes: routesOf(options, core, clock, life) });
    life.keda = servers.keda;
  } catch (error) {
    await core.close();
    throw error;
  }
  const sources = await startPipelineSources({
    core,
    files,
    watched: options.watchedPipelines ?? null,
    isLeading: () => core.leadership.isLeading,
    clock,
    logger: options.logger,
  });
  life.sources = sources;
  let closing: Promise<void> | null = null;
  const getReady = (): void => {
    if (closing !== null) return;
    life.isReady = true;
    for (const server of [servers.keda, servers.switchers]) server.setServing(true);
  };
  const ready = (sources.synced ?? Promise.resolve()).then(getReady);
  const ports = { keda: servers.keda.port, switchers: servers.switchers.port, http: servers.http.port };
  const isComplete = (): boolean => life.isReady && sources.isComplete;
  highAvailability?.start(() => core.pipelines.all(), ports, isComplete);
  options.logger.info({ ports, pipelines: catalogue.all().map(({ key }) => formatKey(key)) }, "scaler started");
  const close = async (): Promise<void> => {
    life.isReady = false;
    const isUnchanging = sources.close();
    for (const server of [servers.keda, servers.switchers]) server.setServing(false);
    follow.endStreams();
    await Promise.all([
      isUnchanging.then(() => core.close()),
      ...Object.values(servers).map(server => server.close(CLOSE_WITHIN_MS)),
    ]);
    options.switcherIdentity?.close();
    options.logger.info("scaler stopped");
  };
  return {
    ports,
    boards,
    ready,
    pipelines: core.pipelines,
    switchers: key => registry.list(key).map(switcher => showSwitcher(switcher, clock.nowMs())),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

interface Life {
  isReady: boolean;
  /** Null before its port is open. */
  keda: KedaServer | null;
  /** Null before the ports answer. */
  sources: PipelineSources | null;
}

/**
 * A web page that points its own name at this machine (DNS rebinding) could read all that is shown here. A port that is forwarded out of a pod
 * arrives on the pod's loopback interface, so a page can do that to a scaler of a cluster, too.
 */
function refuseForeignSite(
  { localAddress, headers }: HttpRequestHead,
  { token = null, allowedHosts = [] }: ScalerOptions,
): HttpResponse | null {
  if (!isLoopbackAddress(localAddress) || namesNoForeignSite(headers.host, allowedHosts)) return null;
  const rule = "on a loopback address the Host header must be localhost, an address or a name of --allowed-host";
  if (token === null)
    return { status: 403, body: { error: `${rule}: call the scaler by one`, code: "permission_denied" } };
  if (showsToken(headers.authorization, token)) return null;
  return refuseWithoutToken(`${rule}, unless the request shows the scaler's token: call it by one, or show the token`);
}

function readAccess({
  token = null,
  isInCluster = false,
  highAvailability = null,
  logger,
}: ScalerOptions): ChangeAccess {
  const access = { token, needsToken: isInCluster || highAvailability !== null };
  if (describeChanges(access) === "missing_token")
    logger.warn(
      "changes over HTTP are refused: VARISCALE_TOKEN is not set, and in a cluster they are taken with a token alone",
    );
  return access;
}

function routesOf(options: ScalerOptions, core: ScalerCore, clock: Clock, life: Readonly<Life>): readonly Route[] {
  const { boards, registry, conditions, leadership, highAvailability } = core;
  const api = httpApiRoutes({
    ...core,
    controlOf: key => core.pipelines.get(key),
    clock,
    access: readAccess(options),
    hasMutualTls: (options.tls ?? null) !== null,
    sourcesProblem: () => life.sources?.problem ?? null,
    pipelinesFrom: () => life.sources?.from ?? [],
    switcherIdentity: options.switcherIdentity ?? null,
    onChange: async control => {
      void core.keeper.saveAll([control]);
      await highAvailability?.save(control);
    },
  });
  const metricsText = async (): Promise<Buffer> => {
    const nowMs = clock.nowMs();
    // A follower's boards are of the time when it led.
    const decided = leadership.isLeading ? core.pipelines.all() : [];
    const facts = decided.flatMap(control => {
      const { pipeline } = control;
      const board = boards.latest(pipeline.key);
      if (!board) return [];
      const switchers = registry.views(pipeline.key, nowMs);
      const scaling = core.cluster?.live(pipeline.key).scaling ?? {};
      const processConditions = conditions.of(pipeline.key);
      return [{ control, pipeline, board, switchers, scaling, processConditions }];
    });
    const ofProcess = Buffer.from(`${await core.prometheus.metrics()}\n`);
    return Buffer.concat([ofProcess, ...(await boardMetrics(facts, nowMs))]);
  };
  const metrics: Route = {
    method: "GET",
    path: "/metrics",
    isShared: true,
    handle: async () => ({
      status: 200,
      headers: { "content-type": core.prometheus.contentType },
      body: await metricsText(),
    }),
  };
  const token = options.token ?? null;
  const answered = answeredByLeader(api, { leadership, token, nowMs: () => clock.nowMs() });
  return [
    ...[...answered, ...pageFileRoutes(), metrics].map(route => ({
      ...route,
      refuse: (head: HttpRequestHead) => refuseForeignSite(head, options) ?? route.refuse?.(head) ?? null,
    })),
    {
      method: "GET",
      path: "/healthz",
      handle: () => {
        const loopAgeMs = clock.nowMs() - core.loop.passAtMs;
        const alive = loopAgeMs <= (options.staleAfterMs ?? STALE_AFTER_MS);
        return { status: alive ? 200 : 503, body: { alive, loopAgeMs } };
      },
    },
    {
      method: "GET",
      path: "/readyz",
      handle: () => {
        const isReady = life.isReady && (highAvailability?.isReady ?? true);
        return { status: isReady ? 200 : 503, body: { ready: isReady } };
      },
    },
    {
      method: "GET",
      path: "/leader",
      handle: () => {
        const { isLeading, leader } = leadership;
        return { status: isLeading ? 200 : 503, body: { leading: isLeading, leader: leader?.http ?? null } };
      },
    },
  ];
}
