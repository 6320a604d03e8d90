import { effectiveAccuracy } from "../optimizer/effective-accuracy.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import type { SimulationRun } from "./simulation-run.ts";

/** One run in one row. Shares are of all requests that were offered. */
export interface SimulationSummary {
  readonly offered: number;
  readonly inTime: number;
  readonly late: number;
  readonly dropped: number;
  readonly lost: number;
  /** Calls that replicas sent back: another replica may have served them. */
  readonly refused: number;
  /** Late, dropped or lost. */
  readonly violations: number;
  /** Of what was answered. */
  readonly accuracy: number;
  /** Right and in time, of all that were offered. */
  readonly effectiveAccuracy: number;
  /** Mean of what all pods took. */
  readonly cores: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly switches: number;
  readonly podsStarted: number;
  readonly decisions: number;
}

export function summarise(run: SimulationRun): SimulationSummary {
  const total = {
    offered: 0,
    inTime: 0,
    late: 0,
    dropped: 0,
    lost: 0,
    refused: 0,
    accuracySum: 0,
    accuracyInTimeSum: 0,
  };
  const latency = new LatencyHistogram();
  let coreSeconds = 0;
  let switches = 0;
  for (const window of run.windows) {
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += window[key];
    latency.addAll(window.latency);
    coreSeconds += window.coreSeconds;
    switches += window.switches;
  }
  const answered = total.inTime + total.late;
  const accuracyInTime = total.inTime > 0 ? total.accuracyInTimeSum / total.inTime : 0;
  return {
    offered: total.offered,
    inTime: total.inTime,
    late: total.late,
    dropped: total.dropped,
    lost: total.lost,
    refused: total.refused,
    violations: total.offered > 0 ? (total.late + total.dropped + total.lost) / total.offered : 0,
    accuracy: answered > 0 ? total.accuracySum / answered : 1,
    effectiveAccuracy: effectiveAccuracy(accuracyInTime, total),
    cores: run.seconds > 0 ? coreSeconds / run.seconds : 0,
    p50Ms: latency.quantile(0.5),
    p95Ms: latency.quantile(0.95),
    p99Ms: latency.quantile(0.99),
    switches,
    podsStarted: run.podsStarted,
    decisions: run.decisions,
  };
}
