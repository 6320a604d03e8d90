import { percent } from "../explanation/number-text.ts";
import type { DriftMeasurements } from "../profiler/measure-drifts.ts";
import { formatTable } from "./format-table.ts";

/** A line for every combination of variants, a column for every drift: items right as a whole. */
export function formatDrifts({ drifts }: DriftMeasurements): string {
  const names = Object.keys(drifts);
  const combinations = drifts["none"]?.accuracy?.combinations ?? [];
  const lines = combinations.map(({ variants }, index) => [
    Object.values(variants).join(" → "),
    ...names.map(name => percent(drifts[name]?.accuracy?.combinations?.[index]?.accuracy ?? Number.NaN)),
  ]);
  return formatTable(["variants", ...names], lines, [0]);
}
