import type { SimulationCase } from "../../cli/simulate/cases.ts";
import { UNTUNED } from "../../control/tuning.ts";
import { throughputRps } from "../../domain/profile.ts";
import { IPA_PIPELINES, ipaPipeline } from "../ipa-pipelines.ts";
import { type Contender, type ExperimentCase, e1Cases } from "./e1-cells.ts";
import type { ExperimentLoad } from "./ipa-loads.ts";
import { type ExperimentRow, mean, percent, signed, table } from "./report-parts.ts";

const SLO_FACTOR = 5;
/** Where an HPA with the heaviest variants takes fewer cores than plans with them. */
const LOAD = "steadyLow";
const HPA = "HPA, heaviest";
const OWN = { name: "plans as they are", policy: "static", forecast: "variscale", fixed: "heaviest" } as const;
const forQuantile =
  (forecastQuantile: number) =>
  (given: SimulationCase): SimulationCase => ({ ...given, tuning: { ...UNTUNED, forecastQuantile } });
const withPipeline =
  (change: (pipeline: SimulationCase["pipeline"]) => SimulationCase["pipeline"]) =>
  (given: SimulationCase): SimulationCase => ({ ...given, pipeline: change(given.pipeline) });

/** The HPA, and our plans with its variants, one thing changed at a time. */
const COMPARED: readonly Contender[] = [
  { name: HPA, policy: "reactive", forecast: "reactive", fixed: "heaviest" },
  OWN,
  { ...OWN, name: "without the rise", change: given => ({ ...given, without: ["rise"] }) },
  { ...OWN, name: "for 90 % of what may come, not 95", change: forQuantile(0.9) },
  { ...OWN, name: "for the median of what may come", change: forQuantile(0.5) },
  { ...OWN, name: "for the load as it is", forecast: "reactive" },
  { ...OWN, name: "for what comes (oracle)", forecast: "oracle" },
  {
    ...OWN,
    name: "95 % in time, not 99",
    change: withPipeline(pipeline => ({ ...pipeline, slo: { ...pipeline.slo, quantile: 0.95 } })),
  },
  {
    ...OWN,
    name: "replicas 85 % busy at most, not 75",
    change: withPipeline(pipeline => ({ ...pipeline, objective: { ...pipeline.objective, utilisation: 0.85 } })),
  },
];

export function e1cCases(loads: readonly ExperimentLoad[], seed: number): readonly ExperimentCase[] {
  const chosen = loads.filter(({ name }) => name === LOAD);
  return e1Cases(chosen, { sloFactors: [SLO_FACTOR], seed, contenders: COMPARED });
}

/** Cores that each way takes, against the HPA's, and the fewest that the variants can do with. */
export function e1cReport(note: string, rows: readonly ExperimentRow[]): string {
  const names = [...new Set(rows.map(({ pipeline }) => pipeline))];
  return [
    "## E1c: what the heaviest variants take",
    "",
    `IPA's five pipelines with their heaviest variants alone and an SLO of ${SLO_FACTOR} times the mean latency under \`${LOAD}\`, where an HPA takes fewer cores than plans do: mean cores, in brackets against the HPA's, and violations. One thing is changed at a time; nothing else than the number of replicas differs. "The fewest": a replica of every stage, or as many as the requests keep busy. Loads: ${note}.`,
    "",
    table(
      ["plans", ...names],
      [
        ...COMPARED.map(({ name }) => [name, ...names.map(pipeline => cellOf(rows, pipeline, name))]),
        ["the fewest", ...names.map(pipeline => fewestOf(rows, pipeline))],
      ],
    ),
  ].join("\n");
}

function cellOf(rows: readonly ExperimentRow[], pipeline: string, name: string): string {
  const own = among(rows, pipeline, name);
  const cores = coresOf(own);
  const violations = percent(mean(own.map(row => row.violations)), 2);
  return `${cores.toFixed(1)}${name === HPA ? "" : againstHpa(rows, pipeline, cores)}, ${violations}`;
}

/** A bound: there is no less than a replica of a stage, and in the long run no less than its requests keep busy. */
function fewestOf(rows: readonly ExperimentRow[], name: string): string {
  const ipa = IPA_PIPELINES.find(other => other.name === name);
  const rateRps = mean(among(rows, name, HPA).flatMap(({ timeline }) => timeline.map(({ offeredRps }) => offeredRps)));
  const stages = ipa ? ipaPipeline(ipa, { policy: "static" }).stages : [];
  const cores = stages.reduce((sum, { variants }) => {
    const profile = variants.at(-1)?.profile;
    const mostRps = profile ? Math.max(...profile.points.map(({ batch }) => throughputRps(profile, batch))) : Infinity;
    return sum + (profile?.cores ?? 0) * Math.max(1, rateRps / mostRps);
  }, 0);
  return `${cores.toFixed(1)}${againstHpa(rows, name, cores)}`;
}

function againstHpa(rows: readonly ExperimentRow[], pipeline: string, cores: number): string {
  return ` (${signed((100 * cores) / coresOf(among(rows, pipeline, HPA)) - 100)} %)`;
}

function coresOf(rows: readonly ExperimentRow[]): number {
  return mean(rows.map(({ cores }) => cores));
}

function among(rows: readonly ExperimentRow[], pipeline: string, name: string): readonly ExperimentRow[] {
  return rows.filter(row => row.pipeline === pipeline && row.contender === name);
}
