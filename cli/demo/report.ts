import { percent } from "../../explanation/number-text.ts";
import { formatTable } from "../format-table.ts";
import type { LoadShape, Phase } from "./load-shape.ts";
import { type Summary, summarise } from "./request-record.ts";
import type { Sample, ScenarioResult } from "./scenario.ts";

/** One line of the demo's table: a phase of a scenario, or the whole of it. */
export interface ReportRow extends Summary {
  readonly scenario: string;
  readonly phase: string;
  /** By stage, what was served most of the time. */
  readonly variants: Readonly<Record<string, string>>;
  readonly replicas: Readonly<Record<string, number>>;
  /** By stage, mean rows of the batches that were served; NaN where there were none. */
  readonly batchRows: Readonly<Record<string, number>>;
  /** Mean of the profiled ms of one row in what was served; NaN where nothing was. */
  readonly workMs: number;
  readonly cores: number;
  readonly switches: number;
}

/** A row for each phase and one for the whole run. */
export function reportRows(result: ScenarioResult, shape: LoadShape, sloMs: number): ReportRow[] {
  const whole: Phase = { name: "whole run", fromMs: 0, toMs: shape.durationMs };
  return [...shape.phases, whole].map(phase => {
    const inPhase = (atMs: number): boolean => atMs >= phase.fromMs && atMs < phase.toMs;
    const records = result.records.filter(record => inPhase(record.atMs));
    const samples = result.samples.filter(sample => inPhase(sample.atMs));
    return {
      scenario: result.name,
      phase: phase.name,
      ...summarise(records, phase.toMs - phase.fromMs, sloMs),
      ...servedIn(samples, result.samples, phase, shape.durationMs),
    };
  });
}

function servedIn(samples: readonly Sample[], all: readonly Sample[], phase: Phase, durationMs: number) {
  const stages = Object.keys(all[0]?.variants ?? {});
  const switchesBy = (atMs: number): number =>
    Math.max(0, ...all.filter(sample => sample.atMs < atMs).map(sample => sample.switches));
  const batchesBy = (atMs: number, stage: string) =>
    all.findLast(sample => sample.atMs < atMs)?.batches[stage] ?? { batches: 0, rows: 0 };
  // The last look is taken when the last request has ended, after the last phase.
  const last = phase.toMs >= durationMs ? Number.POSITIVE_INFINITY : phase.toMs;
  return {
    variants: Object.fromEntries(
      stages.map(stage => [stage, mostFrequent(samples.map(sample => sample.variants[stage] ?? ""))]),
    ),
    replicas: Object.fromEntries(
      stages.map(stage => [stage, Math.max(0, ...samples.map(sample => sample.replicas[stage] ?? 0))]),
    ),
    batchRows: Object.fromEntries(
      stages.map(stage => {
        const [from, to] = [batchesBy(phase.fromMs, stage), batchesBy(last, stage)];
        return [stage, (to.rows - from.rows) / (to.batches - from.batches)];
      }),
    ),
    workMs: meanOf(samples.map(sample => sample.workMs).filter(work => !Number.isNaN(work))),
    cores: samples.length === 0 ? 0 : meanOf(samples.map(sample => sample.cores)),
    switches: switchesBy(last) - switchesBy(phase.fromMs),
  };
}

/** NaN for no values. */
function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function mostFrequent(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}

/** The rows as a plain-text table. */
export function formatReport(rows: readonly ReportRow[]): string {
  const header = [
    "scenario",
    "phase",
    "rps",
    "p50 ms",
    "p99 ms",
    "in SLO",
    "dropped",
    "lost",
    "right",
    "parts right",
    "effective",
    "cores",
    "switches",
    "rows a batch",
    "variants × replicas",
  ];
  const lines = rows.map(row => [
    row.scenario,
    row.phase,
    row.offeredRps.toFixed(1),
    whole(row.p50Ms),
    whole(row.p99Ms),
    percent(row.sloAttainment),
    String(row.dropped),
    String(row.lost),
    percent(row.accuracy),
    percent(row.partAccuracy),
    percent(row.effectiveAccuracy),
    row.cores.toFixed(1),
    String(row.switches),
    Object.values(row.batchRows)
      .map(rows => (Number.isNaN(rows) ? "–" : rows.toFixed(1)))
      .join(" → "),
    Object.entries(row.variants)
      .map(([stage, variant]) => `${variant}×${row.replicas[stage]}`)
      .join(" → "),
  ]);
  return formatTable(header, lines, [0, 1, header.length - 1]);
}

function whole(value: number): string {
  return Number.isNaN(value) ? "–" : value.toFixed(0);
}
