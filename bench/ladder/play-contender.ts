/** One run of a contender on real processes, in one row. */
import type { DemoSetting } from "../../cli/demo/demo-setting.ts";
import { isEffective, type RequestRecord, summarise } from "../../cli/demo/request-record.ts";
import { playScenario, type Sample, type ScenarioOptions } from "../../cli/demo/scenario.ts";
import type { Stage } from "../../domain/pipeline.ts";
import { createLogger } from "../../runtime/logger.ts";
import { quantile, rounded, sorted } from "../samples.ts";
import { measureFactors, type ServiceFactors } from "./clairvoyant.ts";
import type { Arrivals, DisturbanceKind } from "./conditions.ts";
import type { Contender, Judged } from "./contenders.ts";
import { startDisturbance } from "./disturbances.ts";
import { ReplicaStatistics } from "./replica-times.ts";

/** Requests are summarised over all that were offered; percentiles over those that were served. */
export interface RunRow extends Judged {
  readonly pipeline: string;
  readonly condition: string;
  readonly contender: string;
  readonly seed: number;
  readonly requests: number;
  readonly inTimePercent: number;
  readonly dropped: number;
  readonly lost: number;
  /** Percentiles are null where nothing was served. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  /** The machine's service time over the profiled one, after the run. */
  readonly speedFactor: number;
  /** How much longer the batches of the run took than the profiles for this machine say, by stage. */
  readonly serviceFactors: ServiceFactors;
  /** For each request in the order of the arrivals, `1`: right and within the SLO, `0`: not. */
  readonly good: string;
  /** The same for within the SLO alone. */
  readonly inTime: string;
}

export interface PlayOptions extends Arrivals, Pick<ScenarioOptions, "onStart"> {
  readonly setting: DemoSetting;
  readonly contender: Contender;
  readonly durationMs: number;
  readonly disturbance: DisturbanceKind | null;
}

/** Starts the contender as `variscale up` would, plays the load, and stops it. */
export async function playContender(
  options: PlayOptions,
): Promise<Omit<RunRow, "pipeline" | "condition" | "contender" | "seed">> {
  const { setting, contender, arrivalsMs, warmUpMs, durationMs } = options;
  const sloMs = setting.pipeline.slo.latencyMs;
  const statistics = new ReplicaStatistics();
  const disturbance = options.disturbance && startDisturbance(options.disturbance);
  const { records, samples } = await playScenario({
    up: {
      ...setting.upOptions(contender.set),
      ports: { gateway: 0, http: 0, keda: 0, switchers: 0 },
      logger: createLogger("bench", "error"),
      logLevel: "error",
    },
    items: setting.items,
    evaluation: setting.evaluation,
    arrivalsMs,
    warmUpMs,
    timeoutMs: sloMs * 4 + 5000,
    onProgress: (_, up) => {
      void statistics.look(up.scaler.switchers(up.pipeline.key)).then(() => disturbance?.see(statistics.all));
    },
    onStart: options.onStart,
  }).finally(() => disturbance?.stop());
  const { effectiveAccuracy, sloAttainment, dropped, lost } = summarise(records, durationMs, sloMs);
  const served = records.filter(({ outcome }) => outcome === "served");
  const latencies = sorted(served.map(({ latencyMs }) => latencyMs));
  const percentile = (q: number): number | null => (latencies.length > 0 ? rounded(quantile(latencies, q)) : null);
  return {
    requests: records.length,
    effectivePercent: rounded(100 * effectiveAccuracy),
    inTimePercent: rounded(100 * sloAttainment),
    dropped,
    lost,
    p50Ms: percentile(0.5),
    p95Ms: percentile(0.95),
    coreSeconds: rounded(countCoreSeconds(samples, setting.pipeline.stages, durationMs)),
    speedFactor: rounded(await setting.measureSpeed()),
    serviceFactors: measureFactors(setting.pipeline, statistics.all),
    good: markRequests(records, record => isEffective(record, sloMs)),
    inTime: markRequests(records, ({ outcome, latencyMs }) => outcome === "served" && latencyMs <= sloMs),
  };
}

/** Records come as answers do; those of two contenders are compared in the order of the arrivals. */
export function markRequests(records: readonly RequestRecord[], isMarked: (record: RequestRecord) => boolean): string {
  return records
    .toSorted((a, b) => a.atMs - b.atMs)
    .map(record => (isMarked(record) ? "1" : "0"))
    .join("");
}

/** The cores of ready replicas, each sample for the time since the one before, until the load ends. */
export function countCoreSeconds(
  samples: readonly Pick<Sample, "atMs" | "replicas">[],
  stages: readonly Pick<Stage, "name" | "cores">[],
  durationMs: number,
): number {
  let coreSeconds = 0;
  let fromMs = 0;
  for (const { atMs, replicas } of samples) {
    const untilMs = Math.min(atMs, durationMs);
    const cores = stages.reduce((sum, stage) => sum + stage.cores * (replicas[stage.name] ?? 0), 0);
    coreSeconds += (cores * (untilMs - fromMs)) / 1000;
    fromMs = untilMs;
  }
  return coreSeconds;
}
