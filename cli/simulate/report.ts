import { formatKey, type PipelineKey } from "../../domain/pipeline.ts";
import { percent } from "../../explanation/number-text.ts";
import { formatTable } from "../format-table.ts";
import type { SimulationResult } from "./run-all.ts";

export interface SimulationPage {
  readonly pipeline: PipelineKey;
  readonly load: string;
  readonly results: readonly SimulationResult[];
}

export function simulationJson({ pipeline, load, results }: SimulationPage): string {
  return JSON.stringify({ pipeline: formatKey(pipeline), load, results }, null, 2);
}

export const COLUMNS = [
  "policy",
  "seed",
  "requests",
  "accuracy",
  "effective",
  "cores",
  "violations",
  "dropped",
  "lost",
  "p50 ms",
  "p99 ms",
  "switches",
  "pods",
  "tick ms",
] as const;

export function cellsOfResult({ policy, seed, summary, tickP50Ms }: SimulationResult): readonly string[] {
  const ms = (value: number | null): string => (value === null ? "–" : value.toFixed(value < 100 ? 1 : 0));
  return [
    policy,
    String(seed),
    String(summary.offered),
    percent(summary.accuracy),
    percent(summary.effectiveAccuracy),
    summary.cores.toFixed(2),
    `${(100 * summary.violations).toFixed(2)} %`,
    String(summary.dropped),
    String(summary.lost),
    ms(summary.p50Ms),
    ms(summary.p99Ms),
    String(summary.switches),
    String(summary.podsStarted),
    tickP50Ms.toFixed(2),
  ];
}

export function simulationTable({ pipeline, load, results }: SimulationPage): string {
  const heading = `${formatKey(pipeline)} under ${load}, ${results[0]?.seconds ?? 0} s`;
  return `${heading}\n\n${formatTable(COLUMNS, results.map(cellsOfResult), [0])}`;
}
