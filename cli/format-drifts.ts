import { failureText } from "../explanation/estimate-failures.ts";
import { percent } from "../explanation/number-text.ts";
import type { AnswerShare } from "../profiler/caught-by-assertions.ts";
import { type DriftErrors, LABELS } from "../profiler/estimate-drifts.ts";
import type { DriftMeasurements } from "../profiler/measure-drifts.ts";
import { formatTable } from "./format-table.ts";

/**
 * A line for every combination of variants, a column for every drift: items right as a whole. Below it for every drift how far estimates
 * of accuracy are off, where they fail and with how few labels they are off by how much, and what assertions find of the answers of all
 * combinations together.
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

function formatErrors({ errors, estimators }: DriftMeasurements): string {
  const estimates = Object.entries(errors).map(([name, error]) => [
    name,
    percent(error.static),
    percent(error.estimate),
    worstText(error),
    percent(error.threshold?.error ?? Number.NaN),
    worstText(error.threshold),
    percent(error.labelled ?? Number.NaN),
  ]);
  const worst = "worst combination";
  const header = [
    "mean error under",
    "as measured before",
    ...["without labels", worst, "ATC", worst, `with ${LABELS} labels`],
  ];
  return [
    formatTable(header, estimates, [0, 3, 5]),
    ...failuresOf(errors, estimators.length),
    ...formatLabels(errors),
  ].join("\n\n");
}

function worstText(judged: DriftErrors["threshold"] | DriftErrors): string {
  if (judged === null) return "–";
  return `${Object.values(judged.worst.variants).join(" → ")} ${percent(judged.worst.error)}`;
}

function failuresOf(errors: DriftMeasurements["errors"], combinations: number): readonly string[] {
  const all = Object.entries(errors);
  const judged = (of: (error: DriftErrors) => { readonly error: number; readonly failing: number } | null) =>
    Object.fromEntries(
      all.flatMap(([name, error]) => {
        const one = of(error);
        return one ? [[name, { ...one, before: error.static, combinations }] as const] : [];
      }),
    );
  const logistic = failureText(
    "The estimate without labels",
    judged(error => ({ error: error.estimate, failing: error.failing })),
  );
  const hasThresholds = all.some(([, { threshold }]) => threshold !== null);
  return [
    logistic,
    ...(hasThresholds
      ? [
          failureText(
            "ATC",
            judged(error => error.threshold),
          ),
        ]
      : []),
  ];
}

/** A line for each drift and number of labels; nothing where there are too few items. */
function formatLabels(errors: DriftMeasurements["errors"]): readonly string[] {
  const lines = Object.entries(errors).flatMap(([name, { labels }]) =>
    labels.map(one => [
      name,
      String(one.labels),
      ...[one.alone, one.corrected, one.product, one.markov].map(error => percent(error ?? Number.NaN)),
    ]),
  );
  if (lines.length === 0) return [];
  return [formatTable(["mean error under", "labels", "alone", "estimate with them", "product", "Markov"], lines, [0])];
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
