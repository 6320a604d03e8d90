import { status } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";
import { createRegistry } from "../runtime/process-metrics.ts";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import type { Tracer } from "../runtime/tracing/tracing.ts";
import { packageVersion } from "../runtime/version.ts";
import { openAudit, readAudit } from "./audit-log.ts";
import { BoardStore, type Boards } from "./board-store.ts";
import { checkActive } from "./check-active.ts";
import type { Clock } from "./clock.ts";
import type { Cluster, ClusterOptions } from "./cluster.ts";
import { readBundledModel } from "./forecasting/bundled-model.ts";
import { ForecastTrainer, type TrainingOptions } from "./forecasting/forecast-trainer.ts";
import { NetworkThread } from "./forecasting/network-thread.ts";
import type { CallObserver } from "./grpc-call.ts";
import type { HighAvailabilityOptions } from "./ha-options.ts";
import type { HighAvailability } from "./high-availability.ts";
import { Journal } from "./journal.ts";
import type { AnsweredBoard } from "./keda-answer.ts";
import { ALONE, type Leadership } from "./leadership.ts";
import { LiveRecorder } from "./live-recorder.ts";
import { type LoadSourceOptions, LoadSources } from "./load-sources.ts";
import { ControlLoop } from "./loop.ts";
import { createMetrics, type ScalerMetrics } from "./metrics.ts";
import { openControl } from "./open-control.ts";
import { PipelineCatalogue } from "./pipeline-catalogue.ts";
import { PipelineMetrics } from "./pipeline-metrics.ts";
import { PipelineSet } from "./pipeline-set.ts";
import { ProcessConditions } from "./process-conditions.ts";
import { ScalerSpans } from "./scaler-spans.ts";
import { followCertificates, SharedCondition } from "./shared-condition.ts";
import { StateKeeper } from "./state-keeper.ts";
import { SwitcherRegistry } from "./switcher-registry.ts";
import { AnalysisThread } from "./threads/analysis-thread.ts";

export interface ScalerCoreOptions {
  /** Those that there are at the start. */
  readonly pipelines: readonly Pipeline[];
  /** By name. */
  readonly loadSources: Readonly<Record<string, LoadSourceOptions>>;
  /** Folder for state and the audit log; null: nothing is stored, and a restart starts anew. */
  readonly stateDir: string | null;
  /** Cores of the one machine that all replicas share, divided among the pipelines; null: replicas have their cores to themselves. */
  readonly machineCores: number | null;
  /** The gateways of the pipelines join votes, and are told by the boards who votes. Default false: one variant serves a stage. */
  readonly joinsVotes?: boolean;
  /** Stages with `votes` whose code can't join any, where gateways join votes. Default: none. */
  readonly withoutVote?: readonly string[];
  /** Of the pipelines' own forecast models; null or missing: none is trained. */
  readonly training?: TrainingOptions | null;
  /** Null or missing: there is no Kubernetes to look at. */
  readonly kubernetes?: ClusterOptions | null;
  /** Null or missing: this is the only scaler of its pipelines. */
  readonly highAvailability?: HighAvailabilityOptions | null;
  /** GetMetrics fails when the newest tick is longer ago. */
  readonly staleAfterMs: number;
  /** Mutual TLS for KEDA and switchers; null or missing: plaintext. Whoever opened it closes it, after the scaler. */
  readonly tls?: TlsFolder | null;
  /** Null or missing: nothing is traced. It is closed with the scaler. */
  readonly tracer?: Tracer | null;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called at the end of every pass of the loop. */
  readonly onPass: () => void;
  /** Called when another scaler may have begun to lead. */
  readonly onLost: () => void;
}

/** All of the scaler that is not a server. */
export interface ScalerCore {
  readonly catalogue: PipelineCatalogue;
  readonly pipelines: PipelineSet;
  /** Those that were decided here. */
  readonly boards: BoardStore;
  /** What KEDA is answered from. */
  readonly answered: Boards<AnsweredBoard>;
  readonly leadership: Leadership;
  /** Null: this is the only scaler. */
  readonly highAvailability: HighAvailability | null;
  readonly registry: SwitcherRegistry;
  readonly journal: Journal;
  /** The last minutes, for the page. */
  readonly recorder: LiveRecorder;
  readonly analyses: AnalysisThread;
  readonly conditions: ProcessConditions;
  readonly keeper: StateKeeper;
  readonly loop: ControlLoop;
  /** Null: no models are trained. */
  readonly trainer: ForecastTrainer | null;
  /** Null: there is no Kubernetes to look at. */
  readonly cluster: Cluster | null;
  readonly prometheus: Registry;
  readonly metrics: ScalerMetrics;
  readonly observeCall: CallObserver;
  /** Stops the loop and the sources, and stores what changed. */
  close(): Promise<void>;
}

/**
 * Puts the parts together, with the state that was stored; nothing runs yet but the watches of a cluster. Parts that not every scaler has
 * are loaded when an option asks for them: what is not used takes no memory.
 */
export async function openScalerCore(options: ScalerCoreOptions): Promise<ScalerCore> {
  const { logger, clock, stateDir } = options;
  const catalogue = new PipelineCatalogue();
  const prometheus = createRegistry("scaler", packageVersion);
  const metrics = createMetrics(prometheus);
  const pipelineMetrics = new PipelineMetrics(metrics);
  const conditions = new ProcessConditions(logger);
  const boards = new BoardStore(error => logger.error({ err: error }, "a reader of boards failed"));
  const { staleAfterMs, onLost } = options;
  const spans = options.tracer ? new ScalerSpans(options.tracer) : null;
  const haContext = { clock, logger, conditions, prometheus, staleAfterMs, onLost };
  const highAvailability = options.highAvailability
    ? new (await import("./high-availability.ts")).HighAvailability(options.highAvailability, haContext)
    : null;
  const leadership = highAvailability ?? ALONE;
  await highAvailability?.untilSynced();
  const registry = new SwitcherRegistry();
  const analyses = new AnalysisThread();
  const auditWritten = new SharedCondition("AuditLogWritten", conditions, clock);
  const audit =
    stateDir === null
      ? null
      : openAudit(stateDir, (isWritten, problem) => {
          metrics.auditWrites.inc({ outcome: isWritten ? "ok" : "failed" });
          auditWritten.tell(problem);
        });
  const past = stateDir === null ? null : readAudit(stateDir, logger);
  metrics.auditDamagedLines.set(past?.damaged ?? 0);
  const journal = new Journal(() => pipelines.size, audit, logger);
  const keeper = new StateKeeper({
    stateDir,
    clock,
    conditions,
    onSave: (key, ok) => pipelineMetrics.countSave(key, ok),
  });
  const sources = await LoadSources.open({ loadSources: options.loadSources, clock, metrics: pipelineMetrics });
  const recorder = new LiveRecorder(boards, registry, key => {
    const control = pipelines.find(key);
    return (control && sources.get(control)?.lastMinute) ?? null;
  });
  const networkComputed = new SharedCondition("ForecastNetworkComputed", conditions, clock);
  const networks = new NetworkThread({
    onOpened: ({ backend, refused }) => logger.info({ backend, refused }, "forecast backend opened"),
    onProblem: problem => networkComputed.tell(problem),
  });
  const loop = new ControlLoop({
    sources,
    boards,
    registry,
    cluster: () => cluster,
    journal,
    conditions,
    leadership,
    clock,
    logger,
    onBoard: (control, board) => highAvailability?.offer(control, board),
    onTick: (key, seconds, ok) => {
      pipelineMetrics.countTick(key, seconds, ok);
      spans?.recordTick(key, seconds, ok);
    },
    onDecision: key => {
      pipelineMetrics.countDecision(key);
      spans?.noteDecision(key);
    },
    onAnew: (control, before, problem) => void keeper.setAside(control, before, problem),
    onSkippedPass: () => metrics.skippedPasses.inc(),
    onPass: () => {
      highAvailability?.observe();
      networks.ask(pipelines.all().flatMap(({ model }) => model.network ?? []));
      options.onPass();
    },
  });
  const certificates = followCertificates(options.tls ?? null, prometheus, conditions, clock);
  const bundledModel = readBundledModel();
  const machineCores =
    options.machineCores === null ? null : options.machineCores / Math.max(1, options.pipelines.length);
  const { joinsVotes = false, withoutVote = [] } = options;
  const checkServed = (pipeline: Pipeline): void => checkActive(pipeline, joinsVotes, withoutVote);
  const pipelines: PipelineSet = new PipelineSet({
    catalogue,
    nowMs: () => clock.nowMs(),
    open: pipeline => {
      const nowMs = clock.nowMs();
      const opener = { keeper, highAvailability, machineCores, joinsVotes, checkActive: checkServed, logger, nowMs };
      const control = openControl(pipeline, bundledModel, opener);
      control.settings.recall(past?.byPipeline.get(formatKey(pipeline.key)) ?? []);
      return control;
    },
    save: controls => keeper.saveAll(controls),
    run: control => {
      loop.add(control);
      keeper.keep(control);
    },
    parts: [
      {
        add: ({ pipeline: { key } }) => pipelineMetrics.add(key),
        remove: ({ pipeline: { key } }) => {
          for (const part of [boards, journal, conditions, pipelineMetrics, highAvailability]) part?.forget(key);
        },
      },
      auditWritten,
      networkComputed,
      certificates,
      {
        check: pipeline => {
          const mode = pipelines.find(pipeline.key)?.settings.modeAfter(pipeline) ?? pipeline.mode;
          // Its own mode is what a start checks, before what operators set is there.
          if (pipeline.mode === "active" || mode === "active") checkServed(pipeline);
          sources.check(pipeline);
        },
        add: control => sources.add(control),
        replace: (control, before) => sources.replace(control, before),
        remove: control => sources.remove(control),
      },
      {
        add: ({ pipeline }) => recorder.add(pipeline, Math.max(pipelines.size, options.pipelines.length)),
        replace: ({ pipeline }, before) => recorder.replace(pipeline, before, pipelines.size),
        remove: ({ pipeline: { key } }) => recorder.remove(key),
      },
      { add: () => cluster?.look(), remove: () => cluster?.look() },
      {
        replace: control => void keeper.saveAll([control]),
        remove: control => {
          loop.remove(control);
          return keeper.drop(control);
        },
      },
    ],
  });
  const cluster = options.kubernetes
    ? (await import("./cluster.ts")).startCluster(options.kubernetes, {
        pipelines: () => pipelines.pipelines(),
        conditions,
        clock,
        logger,
        onEventWritten: ok => metrics.eventWrites.inc({ outcome: ok ? "ok" : "failed" }),
      })
    : null;
  pipelines.open(options.pipelines);
  const trainer = options.training
    ? new ForecastTrainer({
        ...options.training,
        controls: () => pipelines.all(),
        stateDir,
        clock,
        conditions,
        logger,
        onOpened: (backend, refused) => {
          logger.info({ backend, refused }, "training backend opened");
          metrics.trainingBackend.reset();
          metrics.trainingBackend.set({ backend }, 1);
        },
        onTrained: ({ pipeline: { key } }, outcome, busyMs) => pipelineMetrics.countTraining(key, outcome, busyMs),
      })
    : null;
  return {
    catalogue,
    pipelines,
    boards,
    answered: highAvailability?.answered ?? boards,
    leadership,
    highAvailability,
    registry,
    journal,
    recorder,
    analyses,
    conditions,
    keeper,
    loop,
    trainer,
    cluster,
    prometheus,
    metrics,
    observeCall: (method, code, seconds) => {
      metrics.calls.inc({ method, code: status[code] ?? String(code) });
      spans?.recordCall(method, code, seconds);
      if (!method.startsWith("Stream") && method !== "Follow") metrics.callSeconds.observe({ method }, seconds);
    },
    close: async () => {
      await pipelines.close();
      loop.close();
      await highAvailability?.close();
      recorder.close();
      await analyses.close();
      await trainer?.close();
      await networks.close();
      cluster?.close();
      sources.close();
      await keeper.close(pipelines.all());
      await audit?.close();
      await spans?.close().catch((error: unknown) => logger.warn({ err: error }, "traces were lost"));
    },
  };
}
