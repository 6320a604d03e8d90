import type { CaseResult } from "../../cli/simulate/worker.ts";
import type { SimulationSummary } from "../../simulator/summary.ts";
import type { ExperimentCell } from "./e1-cells.ts";

/** What came of one case. */
export interface ExperimentRow extends ExperimentCell, SimulationSummary {
  readonly tickMs: number;
  readonly timeline: CaseResult["timeline"];
}

export function namesOf(rows: readonly ExperimentCell[]): readonly string[] {
  return [...new Set(rows.map(({ contender }) => contender))];
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)} %`;
}

export function signed(value: number, digits = 1): string {
  return `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(digits)}`;
}

export function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [row(header), row(header.map((_, i) => (i < 1 ? "---" : "--:"))), ...lines.map(row)].join("\n");
}

/** Accuracy, effective accuracy, cores, violations, cells with more than 1 % of them, switches. */
export function meansOf(rows: readonly ExperimentRow[]): readonly string[] {
  return [
    percent(mean(rows.map(({ accuracy }) => accuracy))),
    percent(mean(rows.map(({ effectiveAccuracy }) => effectiveAccuracy))),
    mean(rows.map(({ cores }) => cores)).toFixed(1),
    percent(mean(rows.map(({ violations }) => violations)), 2),
    `${rows.filter(({ violations }) => violations > 0.01).length} of ${rows.length}`,
    mean(rows.map(({ switches }) => switches)).toFixed(0),
  ];
}

/** A table that is folded away. */
export function everyCell(rows: readonly ExperimentRow[]): readonly string[] {
  return [
    "<details><summary>Every cell</summary>",
    "",
    table(
      ["pipeline", "load", "contender", "accuracy", "effective", "cores", "violations", "dropped", "switches"],
      rows.map(row => [
        row.pipeline,
        row.load,
        row.contender,
        percent(row.accuracy),
        percent(row.effectiveAccuracy),
        row.cores.toFixed(1),
        percent(row.violations, 2),
        String(row.dropped),
        String(row.switches),
      ]),
    ),
    "",
    "</details>",
  ];
}
