import { formatKey, type PipelineKey } from "../../domain/pipeline.ts";
import { percent } from "../../explanation/number-text.ts";
import { formatTable } from "../format-table.ts";
import type { SimulationResult } from "./run-all.ts";

export interface SimulationPage {
  readonly pipeline: PipelineKey;
  readonly load: string;
  readonly results: readonly SimulationResult[];
  /** Whether the accuracy of all variants is known; one that is not counts as always right. */
  readonly isAccuracyKnown: boolean;
}

export function simulationJson({ pipeline, load, isAccuracyKnown, results }: SimulationPage): string {
  return JSON.stringify({ pipeline: formatKey(pipeline), load, isAccuracyKnown, results }, null, 2);
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

export function cellsOfResult(result: SimulationResult, isAccuracyKnown: boolean): readonly string[] {
  const { policy, seed, summary, tickP50Ms } = result;
  const ms = (value: number | null): string => (value === null ? "–" : value.toFixed(value < 100 ? 1 : 0));
  return [
    policy,
    String(seed),
    String(summary.offered),
    percent(isAccuracyKnown ? summary.accuracy : Number.NaN),
    percent(isAccuracyKnown ? summary.effectiveAccuracy : Number.NaN),
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

export function simulationTable({ pipeline, load, isAccuracyKnown, results }: SimulationPage): string {
  const heading = `${formatKey(pipeline)} under ${load}, ${results[0]?.seconds ?? 0} s`;
  const rows = results.map(result => cellsOfResult(result, isAccuracyKnown));
  return `${heading}\n\n${formatTable(COLUMNS, rows, [0])}`;
}
