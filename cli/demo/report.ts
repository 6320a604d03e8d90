import type { Pipeline } from "../../domain/pipeline.ts";
import { percent } from "../../explanation/number-text.ts";
import { formatTable } from "../format-table.ts";
import type { LoadShape, Phase } from "./load-shape.ts";
import { type Summary, summarise } from "./request-record.ts";
import type { Sample, ScenarioResult } from "./scenario.ts";
import { averageShares, formatShares, lighterShare, readServed, type ServedShares, workMs } from "./served-shares.ts";

/** One line of the demo's table: a phase of a scenario, or the whole of it. */
export interface ReportRow extends Summary {
  readonly scenario: string;
  readonly phase: string;
  /** The variants that served, by the answers. */
  readonly variants: ServedShares;
  readonly replicas: Readonly<Record<string, number>>;
  /** The profiled ms of one row in the variants that served; NaN where none did. */
  readonly workMs: number;
  /** The share of rows that lighter variants served than the heaviest that served in the whole run. */
  readonly lighterShare: number;
  readonly cores: number;
  /** Service times over those that were measured before the run, at the median of the phase, from 1 on. */
  readonly slowdown: number;
  /** The profiled ms of one row in the variants that were planned, at the median of the phase. */
  readonly plannedMs: number;
}

/** A row for each phase and one for the whole run. */
export function reportRows(
  scenario: string,
  result: ScenarioResult,
  shape: LoadShape,
  pipeline: Pipeline,
): ReportRow[] {
  const served = result.records.map(({ atMs, variants }) => ({ atMs, shares: readServed(variants) }));
  const all = averageShares(served.map(({ shares }) => shares));
  const whole: Phase = { name: "whole run", fromMs: 0, toMs: shape.durationMs };
  return [...shape.phases, whole].map(phase => {
    const inPhase = (atMs: number): boolean => atMs >= phase.fromMs && atMs < phase.toMs;
    const records = result.records.filter(record => inPhase(record.atMs));
    const samples = result.samples.filter(sample => inPhase(sample.atMs));
    const variants = averageShares(served.filter(({ atMs }) => inPhase(atMs)).map(({ shares }) => shares));
    return {
      scenario,
      phase: phase.name,
      ...summarise(records, phase.toMs - phase.fromMs, pipeline.slo.latencyMs),
      variants,
      workMs: workMs(pipeline, variants),
      lighterShare: lighterShare(pipeline, variants, all),
      ...describeReplicas(samples),
      slowdown: Math.max(1, median(samples.map(sample => sample.slowdown))),
      plannedMs: median(samples.map(sample => sample.plannedMs).filter(ms => !Number.isNaN(ms))),
    };
  });
}

/** The most replicas of each stage, and mean cores. */
function describeReplicas(samples: readonly Sample[]) {
  const stages = Object.keys(samples[0]?.replicas ?? {});
  return {
    replicas: Object.fromEntries(
      stages.map(stage => [stage, Math.max(...samples.map(sample => sample.replicas[stage] ?? 0))]),
    ),
    cores: samples.length === 0 ? 0 : samples.reduce((sum, { cores }) => sum + cores, 0) / samples.length,
  };
}

/** The rows as a plain-text table. */
export function formatReport(rows: readonly ReportRow[]): string {
  const header = [
    "scenario",
    "phase",
    "rps",
    "p50 ms",
    "p95 ms",
    "in SLO",
    "dropped",
    "lost",
    "right",
    "parts right",
    "effective",
    "cores",
    "lighter",
    "variants × replicas",
  ];
  const lines = rows.map(row => [
    row.scenario,
    row.phase,
    row.offeredRps.toFixed(1),
    whole(row.p50Ms),
    whole(row.p95Ms),
    percent(row.sloAttainment),
    String(row.dropped),
    String(row.lost),
    percent(row.accuracy),
    percent(row.partAccuracy),
    percent(row.effectiveAccuracy),
    row.cores.toFixed(1),
    percent(row.lighterShare),
    Object.entries(row.replicas)
      .map(([stage, replicas]) => `${formatShares(row.variants[stage] ?? {})}×${replicas}`)
      .join(" → "),
  ]);
  return formatTable(header, lines, [0, 1, header.length - 1]);
}

function whole(value: number): string {
  return Number.isNaN(value) ? "–" : value.toFixed(0);
}

/** It is 1 where there are none. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 1;
}
