/** What became of one request of the load client. */
export interface RequestRecord {
  /** Intended send time, from the start of the run. */
  readonly atMs: number;
  /** From the intended send time to the last byte of the answer. */
  readonly latencyMs: number;
  /** lost: no answer, a reset, or an error that is not a refusal; dropped: 503 or 504. */
  readonly outcome: "served" | "dropped" | "lost";
  readonly correct: boolean;
  readonly partsCorrect: number;
  readonly parts: number;
  /** The gateway's word of what served it, as `stage=variant,…`; empty when not served. */
  readonly variants: string;
}

/** What a phase, or the whole run, comes to. */
export interface Summary {
  readonly offered: number;
  readonly offeredRps: number;
  readonly served: number;
  readonly dropped: number;
  readonly lost: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** Share of the offered requests answered within the SLO. */
  readonly sloAttainment: number;
  /** Of the served ones. */
  readonly accuracy: number;
  readonly partAccuracy: number;
  /** Right and within the SLO, of the offered ones. */
  readonly effectiveAccuracy: number;
}

/** Whether it was right and within the SLO. */
export function isEffective({ outcome, correct, latencyMs }: RequestRecord, sloMs: number): boolean {
  return outcome === "served" && correct && latencyMs <= sloMs;
}

export function summarise(records: readonly RequestRecord[], durationMs: number, sloMs: number): Summary {
  const served = records.filter(record => record.outcome === "served");
  const latencies = served.map(record => record.latencyMs).sort((a, b) => a - b);
  const parts = sum(served.map(record => record.parts));
  return {
    offered: records.length,
    offeredRps: (records.length * 1000) / durationMs,
    served: served.length,
    dropped: records.filter(record => record.outcome === "dropped").length,
    lost: records.filter(record => record.outcome === "lost").length,
    p50Ms: quantile(latencies, 0.5),
    p95Ms: quantile(latencies, 0.95),
    sloAttainment: share(served.filter(record => record.latencyMs <= sloMs).length, records.length),
    accuracy: share(served.filter(record => record.correct).length, served.length),
    partAccuracy: share(sum(served.map(record => record.partsCorrect)), parts),
    effectiveAccuracy: share(records.filter(record => isEffective(record, sloMs)).length, records.length),
  };
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function share(part: number, whole: number): number {
  return whole === 0 ? Number.NaN : part / whole;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
