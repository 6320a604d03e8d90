import { percent } from "../explanation/number-text.ts";
import { LABELS } from "../profiler/estimate-drifts.ts";
import type { DriftMeasurements } from "../profiler/measure-drifts.ts";
import { formatTable } from "./format-table.ts";

/**
 * A line for every combination of variants, a column for every drift: items right as a whole. Below it for every drift how far estimates
 * of accuracy are off.
 */
export function formatDrifts({ drifts, errors }: DriftMeasurements): string {
  const names = Object.keys(drifts);
  const combinations = drifts["none"]?.accuracy?.combinations ?? [];
  const lines = combinations.map(({ variants }, index) => [
    Object.values(variants).join(" → "),
    ...names.map(name => percent(drifts[name]?.accuracy?.combinations?.[index]?.accuracy ?? Number.NaN)),
  ]);
  const estimates = Object.entries(errors).map(([name, error]) => [
    name,
    percent(error.static),
    percent(error.estimate),
    percent(error.labelled ?? Number.NaN),
  ]);
  const header = ["mean error under", "as measured before", "without labels", `with ${LABELS} labels`];
  return `${formatTable(["variants", ...names], lines, [0])}\n\n${formatTable(header, estimates, [0])}`;
}
