import { percent } from "../explanation/number-text.ts";
import type { AnswerShare } from "../profiler/caught-by-assertions.ts";
import { LABELS } from "../profiler/estimate-drifts.ts";
import type { DriftMeasurements } from "../profiler/measure-drifts.ts";
import { formatTable } from "./format-table.ts";

/**
 * A line for every combination of variants, a column for every drift: items right as a whole. Below it for every drift how far estimates
 * of accuracy are off, and what assertions find of the answers of all combinations together.
 */
export function formatDrifts(measurements: DriftMeasurements): string {
  const caught = formatCaught(measurements);
  return [formatAccuracies(measurements), formatErrors(measurements), ...(caught === null ? [] : [caught])].join(
    "\n\n",
  );
}

function formatAccuracies({ drifts }: DriftMeasurements): string {
  const names = Object.keys(drifts);
  const combinations = drifts["none"]?.accuracy?.combinations ?? [];
  const lines = combinations.map(({ variants }, index) => [
    Object.values(variants).join(" → "),
    ...names.map(name => percent(drifts[name]?.accuracy?.combinations?.[index]?.accuracy ?? Number.NaN)),
  ]);
  return formatTable(["variants", ...names], lines, [0]);
}

function formatErrors({ errors }: DriftMeasurements): string {
  const estimates = Object.entries(errors).map(([name, error]) => [
    name,
    percent(error.static),
    percent(error.estimate),
    percent(error.labelled ?? Number.NaN),
  ]);
  const header = ["mean error under", "as measured before", "without labels", `with ${LABELS} labels`];
  return formatTable(header, estimates, [0]);
}

/** Null for code without assertions. */
function formatCaught({ drifts }: DriftMeasurements): string | null {
  const lines = Object.entries(drifts).flatMap(([name, { assertions }]) =>
    assertions.map(({ assertion, ofWrong, ofRight, wrongOfBroken }) => [
      assertion ?? "any of them",
      name,
      shareText(ofWrong),
      shareText(ofRight),
      shareText(wrongOfBroken),
    ]),
  );
  if (lines.length === 0) return null;
  return formatTable(["assertion", "items", "of wrong answers", "of right answers", "broken and wrong"], lines, [0, 1]);
}

function shareText({ share }: AnswerShare): string {
  return percent(share ?? Number.NaN);
}
