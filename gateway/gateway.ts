import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { VariscaleError } from "../domain/errors.ts";
import { type LoadReport, readOf } from "../domain/load-report.ts";
import { formatKey, type Pipeline, type Stage } from "../domain/pipeline.ts";
import { ByteBudget } from "../runtime/byte-budget.ts";
import { NoRoom } from "../runtime/http/read-body.ts";
import { type HttpServer, type Route, startHttpServer } from "../runtime/http-server.ts";
import { createRegistry, metricsRoute } from "../runtime/process-metrics.ts";
import type { Tracer } from "../runtime/tracing/tracing.ts";
import { packageVersion } from "../runtime/version.ts";
import { AccuracyMeter } from "./accuracy-meter.ts";
import { Admission } from "./admission.ts";
import { AnswerWindow } from "./answer-window.ts";
import type { EndpointSource } from "./endpoint-source.ts";
import { LoadCounter } from "./load-counter.ts";
import { createGatewayMetrics } from "./metrics.ts";
import { createPipelineServer, type PipelineServer } from "./pipeline-server.ts";
import { SequenceMemory } from "./sequence-memory.ts";
import type { PipelineCode } from "./stage.ts";
import { StagePool } from "./stage-pool.ts";
import { votingsOf } from "./votings.ts";

export interface GatewayOptions {
  readonly pipeline: Pipeline;
  readonly code: PipelineCode;
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly endpoints: EndpointSource;
  readonly logger: Logger;
  /** Null or missing: requests are not traced. It is closed with the gateway. */
  readonly tracer?: Tracer | null;
  /** Requests that are worked on at the same time. Default 128. */
  readonly concurrency?: number;
  /** Requests that wait for that; more are refused. Default 512. */
  readonly queue?: number;
  /** A larger request is refused. Default 16 MiB. */
  readonly maxBodyBytes?: number;
  /** Memory for bodies and large answers. Default 256 MiB. */
  readonly budget?: ByteBudget;
  /** How often the pace of bodies is looked at. Default 1 s. */
  readonly paceMs?: number;
  /** Breaks ties between replicas; 0 ≤ value < 1. Default Math.random. */
  readonly random?: () => number;
}

export interface Gateway {
  readonly port: number;
  load(): LoadReport;
  /** Whether every stage has a replica that can be called, and the gateway is not closing. */
  isReady(): boolean;
  isDraining(): boolean;
  /** `/readyz` fails from now on; requests go on being answered. */
  drain(): void;
  /** Drains, stops listening and lets running requests end for at most `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

const MIB = 1024 * 1024;
/**
 * Bodies that are being read or worked on, and large answers. It is a quarter of the pod's memory in the chart, because what is decoded from a
 * body takes memory beside it.
 */
const BUDGET_BYTES = 256 * MIB;
const MOST_CONNECTIONS = 4096;
/** A label names one answer, and says whether it was right. */
const MOST_LABEL_BYTES = 16 * 1024;

/** Serves one pipeline over the replicas of its stages. @throws failed_precondition when the port is taken. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { pools, server, registry } = createParts(options);
  let isDraining = false;
  const isReady = () => !isDraining && [...pools.values()].every(pool => pool.openCount > 0);
  const stopFollowing = options.endpoints.follow(table => {
    for (const [stage, pool] of pools) pool.update(Object.hasOwn(table, stage) ? (table[stage] ?? []) : []);
  });
  const stop = () => {
    stopFollowing();
    for (const pool of pools.values()) pool.close();
  };
  let http: HttpServer;
  try {
    http = await startHttpServer({
      host: options.host,
      port: options.port,
      portOption: "--port",
      logger: options.logger,
      budget: options.budget ?? new ByteBudget(BUDGET_BYTES),
      maxConnections: MOST_CONNECTIONS,
      maxBodyBytes: options.maxBodyBytes ?? 16 * MIB,
      ...(options.paceMs !== undefined && { paceMs: options.paceMs }),
      routes: [...pipelineRoutes(options.pipeline, server), ...healthRoutes(isReady, pools), metricsRoute(registry)],
    });
  } catch (error) {
    stop();
    throw error;
  }
  const drain = () => {
    isDraining = true;
  };
  return {
    port: http.port,
    load: server.load,
    isReady,
    isDraining: () => isDraining,
    drain,
    close: async graceMs => {
      drain();
      await http.close(graceMs);
      stop();
      await options.tracer?.close().catch((error: unknown) => options.logger.warn({ err: error }, "traces were lost"));
    },
  };
}

interface Parts {
  readonly pools: ReadonlyMap<string, StagePool>;
  readonly server: PipelineServer;
  readonly registry: Registry;
}

function createParts({ pipeline, code, logger, tracer = null, ...options }: GatewayOptions): Parts {
  const { random = Math.random, concurrency = 128, queue = 512 } = options;
  const monotonicMs = () => performance.now();
  const wallMs = () => Date.now();
  const createPool = (stage: Stage) => new StagePool(stage, { random, nowMs: monotonicMs });
  const observed = {
    pipeline,
    code,
    pools: new Map(pipeline.stages.map(stage => [stage.name, createPool(stage)])),
    admission: new Admission({ concurrency, queue }),
    counter: new LoadCounter(randomUUID(), wallMs()),
    accuracy: new AccuracyMeter(pipeline, code),
  };
  const registry = createRegistry("gateway", packageVersion);
  const metrics = createGatewayMetrics(registry, observed);
  const server = createPipelineServer({
    ...observed,
    votings: votingsOf(pipeline, code, metrics),
    answers: new AnswerWindow(pipeline.slo.latencyMs, wallMs()),
    sequences: new SequenceMemory(code),
    metrics,
    tracer,
    logger,
    monotonicMs,
    wallMs,
  });
  return { pools: observed.pools, registry, server };
}

/** What clients and the scaler ask of a gateway. */
export function pipelineRoutes(pipeline: Pipeline, server: PipelineServer): readonly Route[] {
  const check = (params: Readonly<Record<string, string>>): void => {
    const { namespace = "", name = "" } = params;
    if (namespace === pipeline.key.namespace && name === pipeline.key.name) return;
    const served = formatKey(pipeline.key);
    throw new VariscaleError("not_found", `this gateway serves \`${served}\`, not \`${namespace}/${name}\``);
  };
  const handleOwn = (handle: Route["handle"]): Route["handle"] => {
    return request => {
      check(request.params);
      return handle(request);
    };
  };
  return [
    {
      method: "POST",
      path: "/v1/pipelines/:namespace/:name",
      handle: handleOwn(server.answer),
      answerUnread: (head, error) => {
        check(head.params);
        return server.refuse(head, error instanceof NoRoom ? "queue_full" : "slow_body", error.message);
      },
    },
    {
      method: "POST",
      path: "/v1/pipelines/:namespace/:name/labels",
      maxBodyBytes: MOST_LABEL_BYTES,
      handle: handleOwn(server.label),
    },
    {
      method: "GET",
      path: "/v1/pipelines/:namespace/:name/load",
      handle: handleOwn(({ query }) => ({
        status: 200,
        headers: { "cache-control": "no-store" },
        body: server.load(readOf(query)),
      })),
    },
  ];
}

function healthRoutes(isReady: () => boolean, pools: ReadonlyMap<string, StagePool>): Route[] {
  return [
    { method: "GET", path: "/healthz", handle: () => ({ status: 200, body: { status: "ok" } }) },
    {
      method: "GET",
      path: "/readyz",
      handle: () => {
        const endpoints = Object.fromEntries([...pools].map(([stage, pool]) => [stage, pool.openCount]));
        return { status: isReady() ? 200 : 503, body: { ready: isReady(), endpoints } };
      },
    },
  ];
}
