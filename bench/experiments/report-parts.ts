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
