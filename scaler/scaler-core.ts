import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";
import type { ForecastModel } from "../predictor/network-model.ts";
import { createRegistry } from "../runtime/process-metrics.ts";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import { addTlsMetrics } from "../runtime/tls-metrics.ts";
import { packageVersion } from "../runtime/version.ts";
import { AnalysisThread } from "./analysis-thread.ts";
import { AuditFile } from "./audit-file.ts";
import { BoardStore } from "./board-store.ts";
import { readBundledModel } from "./bundled-model.ts";
import type { Clock } from "./clock.ts";
import { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";
import { ForecastTrainer, type TrainingOptions } from "./forecast-trainer.ts";
import type { CallObserver } from "./grpc-call.ts";
import { Journal } from "./journal.ts";
import { LiveRecorder } from "./live-recorder.ts";
import { ControlLoop } from "./loop.ts";
import { createMetrics, type ScalerMetrics } from "./metrics.ts";
import { checkSources, type LoadSourceOptions, openSources } from "./open-sources.ts";
import { PipelineCatalogue } from "./pipeline-catalogue.ts";
import { PipelineControl } from "./pipeline-control.ts";
import { ProcessConditions } from "./process-conditions.ts";
import { StateKeeper } from "./state-keeper.ts";
import { SwitcherRegistry } from "./switcher-registry.ts";

/** A file of the audit log, and how many older ones are kept beside it. */
const AUDIT_BYTES = 16 * 1024 * 1024;
const AUDIT_KEEP = 3;

export interface ScalerCoreOptions {
  readonly pipelines: readonly Pipeline[];
  /** By name. */
  readonly loadSources: Readonly<Record<string, LoadSourceOptions>>;
  /** Folder for state and the audit log; null: nothing is stored, and a restart starts anew. */
  readonly stateDir: string | null;
  /** Cores of the one machine that all replicas share, divided among the pipelines; null: replicas have their cores to themselves. */
  readonly machineCores: number | null;
  /** Of the pipelines' own forecast models; null or missing: none is trained. */
  readonly training?: TrainingOptions | null;
  /** Null or missing: there is no Kubernetes to look at. */
  readonly kubernetes?: ClusterOptions | null;
  /** Mutual TLS for KEDA and switchers; null or missing: plaintext. Whoever opened it closes it, after the scaler. */
  readonly tls?: TlsFolder | null;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called at the end of every pass of the loop. */
  readonly onPass: () => void;
}

/** All of the scaler that is not a server. */
export interface ScalerCore {
  readonly catalogue: PipelineCatalogue;
  readonly controls: readonly PipelineControl[];
  readonly boards: BoardStore;
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
  controlOf(key: PipelineKey): PipelineControl;
  /** Stops the loop and the sources, and stores what changed. */
  close(): Promise<void>;
}

/** Puts the parts together, with the state that was stored; nothing runs yet but the watches of a cluster. */
export function openScalerCore(options: ScalerCoreOptions): ScalerCore {
  const { pipelines, logger, clock, stateDir } = options;
  const catalogue = new PipelineCatalogue(pipelines);
  const prometheus = createRegistry("scaler", packageVersion);
  const metrics = createMetrics(prometheus);
  const conditions = new ProcessConditions(logger);
  if (options.tls) {
    addTlsMetrics(prometheus, options.tls);
    options.tls.watch(problem => {
      for (const { key } of pipelines) conditions.set(key, "CertificatesCurrent", problem, clock.nowMs());
    });
  }
  const boards = new BoardStore(error => logger.error({ err: error }, "a reader of boards failed"));
  const registry = new SwitcherRegistry();
  const analyses = new AnalysisThread();
  const audit = stateDir === null ? null : openAudit(stateDir, options, conditions, metrics);
  const journal = new Journal(pipelines.length, audit, logger);
  const keeper = new StateKeeper({
    stateDir,
    clock,
    conditions,
    onSave: (key, ok) => metrics.stateSaves.inc({ ...labelsOf(key), outcome: ok ? "ok" : "failed" }),
  });
  const bundledModel = readBundledModel();
  const controls = pipelines.map(pipeline => openControl(pipeline, keeper, bundledModel, options));
  const byKey = new Map(controls.map(control => [formatKey(control.pipeline.key), control]));
  checkSources(options.loadSources, controls);
  const sources = openSources(controls, options.loadSources, clock, metrics);
  const lastMinuteOf = (key: PipelineKey) => {
    const control = byKey.get(formatKey(key));
    return (control && sources.byControl.get(control)?.lastMinute) ?? null;
  };
  const recorder = new LiveRecorder(pipelines, boards, registry, lastMinuteOf);
  const cluster = options.kubernetes
    ? startCluster(options.kubernetes, {
        pipelines,
        conditions,
        clock,
        logger,
        onEventWritten: ok => metrics.eventWrites.inc({ outcome: ok ? "ok" : "failed" }),
      })
    : null;
  const loop = new ControlLoop({
    controls,
    sources: sources.byControl,
    boards,
    registry,
    cluster,
    journal,
    conditions,
    clock,
    logger,
    onTick: (key, seconds, ok) => {
      metrics.tickSeconds.observe(seconds);
      if (!ok) metrics.tickFailures.inc(labelsOf(key));
    },
    onDecision: key => metrics.decisions.inc(labelsOf(key)),
    onSkippedPass: () => metrics.skippedPasses.inc(),
    onPass: options.onPass,
  });
  const trainer = options.training
    ? new ForecastTrainer({
        ...options.training,
        controls,
        stateDir,
        clock,
        conditions,
        logger,
        onOpened: (backend, refused) => {
          logger.info({ backend, refused }, "training backend opened");
          metrics.trainingBackend.reset();
          metrics.trainingBackend.set({ backend }, 1);
        },
        onTrained: ({ pipeline }, outcome, busyMs) => {
          metrics.trainings.inc({ ...labelsOf(pipeline.key), outcome });
          if (busyMs > 0) metrics.trainingSeconds.observe(busyMs / 1000);
        },
      })
    : null;
  return {
    catalogue,
    controls,
    boards,
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
      if (!method.startsWith("Stream") && method !== "Follow") metrics.callSeconds.observe({ method }, seconds);
    },
    controlOf: key => {
      const control = byKey.get(formatKey(key));
      if (!control) throw new VariscaleError("not_found", `there is no pipeline ${formatKey(key)}`);
      return control;
    },
    close: async () => {
      loop.close();
      recorder.close();
      await analyses.close();
      await trainer?.close();
      cluster?.close();
      sources.close();
      await keeper.close(controls);
      await audit?.close();
    },
  };
}

function openAudit(
  stateDir: string,
  options: ScalerCoreOptions,
  conditions: ProcessConditions,
  metrics: ScalerMetrics,
): AuditFile {
  return new AuditFile({
    path: join(stateDir, "decisions.jsonl"),
    maxBytes: AUDIT_BYTES,
    keep: AUDIT_KEEP,
    onWrite: problem => {
      metrics.auditWrites.inc({ outcome: problem === null ? "ok" : "failed" });
      for (const { key } of options.pipelines) conditions.set(key, "AuditLogWritten", problem, options.clock.nowMs());
    },
  });
}

/** The epoch is above the stored one, and above that of any run whose state was lost: those took it from the clock. */
function openControl(
  pipeline: Pipeline,
  keeper: StateKeeper,
  bundledModel: ForecastModel,
  options: ScalerCoreOptions,
): PipelineControl {
  const stored = keeper.load(pipeline);
  const cells = keeper.loadHistory(pipeline);
  const ownModel = keeper.loadModel(pipeline);
  const nowMs = options.clock.nowMs();
  const epoch = Math.max((stored?.epoch ?? 0) + 1, Math.floor(nowMs / 1000));
  const machineCores = options.machineCores === null ? null : options.machineCores / options.pipelines.length;
  return new PipelineControl({ pipeline, stored, cells, bundledModel, ownModel, epoch, machineCores, nowMs });
}

function labelsOf(key: PipelineKey): { readonly namespace: string; readonly pipeline: string } {
  return { namespace: key.namespace, pipeline: key.name };
}
