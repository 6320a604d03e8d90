import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const PIPELINE = ["namespace", "pipeline"] as const;

/** What happens, counted as it happens; what is, is read from the boards when someone asks (board-metrics.ts). */
export interface ScalerMetrics {
  readonly tickSeconds: Histogram;
  readonly tickFailures: Counter<"namespace" | "pipeline">;
  readonly skippedPasses: Counter;
  readonly decisions: Counter<"namespace" | "pipeline">;
  readonly calls: Counter<"method" | "code">;
  readonly callSeconds: Histogram<"method">;
  readonly switchSeconds: Histogram;
  readonly identityChecks: Counter<"outcome">;
  readonly loadPolls: Counter<"namespace" | "pipeline" | "outcome">;
  readonly loadPollSeconds: Histogram;
  readonly loadRefused: Counter<"namespace" | "pipeline">;
  readonly stateSaves: Counter<"namespace" | "pipeline" | "outcome">;
  readonly auditWrites: Counter<"outcome">;
  readonly auditDamagedLines: Gauge;
  readonly trainings: Counter<"namespace" | "pipeline" | "outcome">;
  readonly trainingSeconds: Histogram;
  readonly trainingBackend: Gauge<"backend">;
  readonly eventWrites: Counter<"outcome">;
  readonly statusWrites: Counter<"outcome">;
  readonly pipelineChanges: Counter<"from" | "outcome">;
  readonly pipelinesRefused: Gauge<"from">;
  readonly pipelinesWatched: Gauge<"from">;
}

export function createMetrics(registry: Registry): ScalerMetrics {
  const registers = [registry];
  return {
    tickSeconds: new Histogram({
      name: "variscale_tick_seconds",
      help: "Time of one tick of one pipeline",
      buckets: [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1],
      registers,
    }),
    tickFailures: new Counter({
      name: "variscale_tick_failures_total",
      help: "Ticks that failed: the last board stays",
      labelNames: PIPELINE,
      registers,
    }),
    skippedPasses: new Counter({
      name: "variscale_passes_skipped_total",
      help: "Passes of the control loop that were left out because the one before was still running",
      registers,
    }),
    decisions: new Counter({ name: "variscale_decisions_total", help: "Plans made", labelNames: PIPELINE, registers }),
    calls: new Counter({
      name: "variscale_rpc_total",
      help: "gRPC calls that ended, streams included",
      labelNames: ["method", "code"] as const,
      registers,
    }),
    callSeconds: new Histogram({
      name: "variscale_rpc_seconds",
      help: "Time to answer a unary gRPC call",
      labelNames: ["method"] as const,
      buckets: [0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5],
      registers,
    }),
    switchSeconds: new Histogram({
      name: "variscale_switch_seconds",
      help: "Time of a Switch, as the switcher reports it",
      buckets: [0.001, 0.01, 0.05, 0.2, 0.5, 1, 2, 5, 20],
      registers,
    }),
    identityChecks: new Counter({
      name: "variscale_identity_checks_total",
      help: "Switchers whose tokens were asked for, by outcome: verified, kept (verified before, and the API server does not answer), missing, refused, mismatched, unavailable",
      labelNames: ["outcome"] as const,
      registers,
    }),
    loadPolls: new Counter({
      name: "variscale_load_polls_total",
      help: "Polls of the pipeline's load source, by outcome",
      labelNames: [...PIPELINE, "outcome"] as const,
      registers,
    }),
    loadPollSeconds: new Histogram({
      name: "variscale_load_poll_seconds",
      help: "Time of one poll of a Prometheus, the back-fill included",
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
      registers,
    }),
    loadRefused: new Counter({
      name: "variscale_load_values_refused_total",
      help: "Values of a Prometheus that are no rates (NaN, infinite, negative, too high), in every poll that met them",
      labelNames: PIPELINE,
      registers,
    }),
    stateSaves: new Counter({
      name: "variscale_state_saves_total",
      help: "Attempts to store the pipeline's state, by outcome",
      labelNames: [...PIPELINE, "outcome"] as const,
      registers,
    }),
    trainings: new Counter({
      name: "variscale_forecast_trainings_total",
      help: "Trainings of the pipeline's own forecast model, by outcome",
      labelNames: [...PIPELINE, "outcome"] as const,
      registers,
    }),
    trainingSeconds: new Histogram({
      name: "variscale_forecast_training_seconds",
      help: "Time that one training worked, without its rests",
      buckets: [1, 3, 10, 30, 100, 300, 1000],
      registers,
    }),
    trainingBackend: new Gauge({
      name: "variscale_forecast_training_backend",
      help: "1: the backend of tfjs that trains",
      labelNames: ["backend"] as const,
      registers,
    }),
    eventWrites: new Counter({
      name: "variscale_kubernetes_event_writes_total",
      help: "Writes of Kubernetes Events, by outcome",
      labelNames: ["outcome"] as const,
      registers,
    }),
    statusWrites: new Counter({
      name: "variscale_kubernetes_status_writes_total",
      help: "Writes of the statuses of InferencePipelines, by outcome",
      labelNames: ["outcome"] as const,
      registers,
    }),
    pipelineChanges: new Counter({
      name: "variscale_pipeline_changes_total",
      help: "Descriptions of pipelines that were read after the start, by where they are and what became of them",
      labelNames: ["from", "outcome"] as const,
      registers,
    }),
    pipelinesRefused: new Gauge({
      name: "variscale_pipelines_refused",
      help: "Descriptions of pipelines that are not taken as they are now: the last good ones stay, where there were any",
      labelNames: ["from"] as const,
      registers,
    }),
    pipelinesWatched: new Gauge({
      name: "variscale_pipelines_watched",
      help: "1: what describes pipelines in the cluster is followed; 0: it is not, as where its definition is not installed, and what was seen last stays",
      labelNames: ["from"] as const,
      registers,
    }),
    auditWrites: new Counter({
      name: "variscale_audit_writes_total",
      help: "Writes of the audit log, by outcome",
      labelNames: ["outcome"] as const,
      registers,
    }),
    auditDamagedLines: new Gauge({
      name: "variscale_audit_damaged_lines",
      help: "Lines of the audit log that could not be read at the start, among the newest 16 MiB",
      registers,
    }),
  };
}

/** Shows how many streams are open whenever someone asks. */
export function showStreams(
  registry: Registry,
  count: { readonly keda: () => number; readonly switchers: () => number },
): void {
  new Gauge({
    name: "variscale_streams",
    help: "Streams that are open: KEDA's, two for each ScaledObject, and the switchers', one each",
    labelNames: ["peer"] as const,
    registers: [registry],
    collect() {
      this.set({ peer: "keda" }, count.keda());
      this.set({ peer: "switchers" }, count.switchers());
    },
  });
}
