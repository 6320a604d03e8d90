import { type Contender, type ExperimentCase, e1Cases } from "./e1-cells.ts";
import { e1Figures } from "./e1-figures.ts";
import type { ExperimentLoad } from "./ipa-loads.ts";
import { type ExperimentRow, mean, percent, table } from "./report-parts.ts";

const SLO_FACTOR = 5;
/** Within the period of an HPA. */
const LATER_SECONDS = [5, 10];
const OWN = { name: "default", policy: "default", forecast: "variscale" } as const;
const WITHOUT = "without the rise";
const COMPARED: readonly Contender[] = [
  OWN,
  { ...OWN, name: WITHOUT, change: given => ({ ...given, without: ["rise"] }) },
  { name: "ipa", policy: "ipa", forecast: "recentPeak", hasMargin: true },
  { name: "oracle", policy: "oracle", forecast: "oracle" },
];
const BARS = ["violations.overOracle", "violations.vsIpa"];

/** E1's loads, and the last of them, whose rises are the steepest, begun a little later. */
export function e3bCases(loads: readonly ExperimentLoad[], seed: number): readonly ExperimentCase[] {
  const last = loads.at(-1);
  const later = last ? LATER_SECONDS.map(seconds => begunLater(last, seconds)) : [];
  return e1Cases([...loads, ...later], { sloFactors: [SLO_FACTOR], seed, contenders: COMPARED });
}

/** The same load, of which the run has missed the first seconds: HPAs see the rest at another moment of their period. */
export function begunLater(given: ExperimentLoad, seconds: number): ExperimentLoad {
  const { startMs, ratesRps } = given.load;
  const load = { startMs: startMs + 1000 * seconds, ratesRps: ratesRps.slice(seconds) };
  return { ...given, name: `${given.name}, ${seconds} s`, load };
}

/** What replicas for a rise avoid and take, load by load, and the bars on violations by when the last load begins. */
export function e3bReport(note: string, rows: readonly ExperimentRow[]): string {
  const names = [...new Set(rows.map(({ load }) => load))];
  const starts = names.slice(-LATER_SECONDS.length - 1);
  const always = names.slice(0, -starts.length);
  return [
    "## E3b: what replicas for a rise are worth",
    "",
    `\`default\` on IPA's five pipelines with an SLO of ${SLO_FACTOR} times the mean latency, as it is and without replicas for what a load goes on to; beside it \`ipa\` and \`oracle\`; loads: ${note}. "${starts.at(-1)}": the run begins so much later, so that an HPA that looks every 15 s sees a rise at another moment of it. Means over the pipelines.`,
    "",
    table(
      ["load", "violations", WITHOUT, "ipa", "oracle", "cores", WITHOUT],
      [...names.map(name => lineOf(name, rows, [name])), lineOf("all of these", rows, names)],
    ),
    "",
    "The bars of E1 on violations, by when that load begins:",
    "",
    table(
      ["load", "default", "oracle", "ipa", ...BARS.map(name => `\`${name}\``)],
      starts.map(name => barsLine(name, among(rows, [...always, name]))),
    ),
  ].join("\n");
}

function lineOf(title: string, rows: readonly ExperimentRow[], loads: readonly string[]): readonly string[] {
  const own = among(rows, loads);
  const violated = COMPARED.map(({ name }) => violations(own, name));
  const cores = [OWN.name, WITHOUT].map(name => mean(by(own, name).map(row => row.cores)).toFixed(1));
  return [title, ...violated, ...cores];
}

function barsLine(title: string, rows: readonly ExperimentRow[]): readonly string[] {
  const figures = e1Figures(rows, "");
  const verdicts = BARS.map(name => {
    const { value, holds } = figures.find(figure => figure.name === name) ?? { value: null, holds: false };
    return `${value ?? "?"} (${holds ? "holds" : "**does not hold**"})`;
  });
  return [title, ...["default", "oracle", "ipa"].map(name => violations(rows, name)), ...verdicts];
}

function among(rows: readonly ExperimentRow[], loads: readonly string[]): readonly ExperimentRow[] {
  return rows.filter(({ load }) => loads.includes(load));
}

function by(rows: readonly ExperimentRow[], name: string): readonly ExperimentRow[] {
  return rows.filter(({ contender }) => contender === name);
}

function violations(rows: readonly ExperimentRow[], name: string): string {
  return percent(mean(by(rows, name).map(row => row.violations)), 3);
}
