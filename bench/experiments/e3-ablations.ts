import type { SimulationCase } from "../../cli/simulate/cases.ts";
import { type Contender, type ExperimentCase, e1Cases } from "./e1-cells.ts";
import type { ExperimentLoad } from "./ipa-loads.ts";
import { type ExperimentRow, mean, namesOf, percent, signed, table } from "./report-parts.ts";

const SLO_FACTOR = 5;
const WHOLE = { name: "default", policy: "default", forecast: "variscale" } as const;
const podsIn = (seconds: number) => (given: SimulationCase) => ({
  ...given,
  cluster: { ...given.cluster, podStartMs: seconds * 1000 },
});

/** `default` with one thing taken away or changed. */
const CHANGED: readonly Contender[] = [
  WHOLE,
  { ...WHOLE, name: "the oracle's forecast", forecast: "oracle" },
  { ...WHOLE, name: "no forecast: the load as it is", forecast: "reactive" },
  { ...WHOLE, name: "no forecast: the highest of 20 s", forecast: "recentPeak" },
  { ...WHOLE, name: "no rise", change: given => ({ ...given, without: ["rise"] }) },
  { ...WHOLE, name: "no calibration", change: given => ({ ...given, without: ["calibration"] }) },
  { ...WHOLE, name: "no make-before-break", change: given => ({ ...given, without: ["makeBeforeBreak"] }) },
  { ...WHOLE, name: "no batching", batchingCap: 1 },
  {
    ...WHOLE,
    name: "balancing at random",
    change: given => {
      const { pipeline } = given;
      return { ...given, pipeline: { ...pipeline, objective: { ...pipeline.objective, balancing: "random" } } };
    },
  },
  {
    ...WHOLE,
    name: "requests given up at the SLO",
    change: given => ({ ...given, timeoutMs: given.pipeline.slo.latencyMs }),
  },
  {
    ...WHOLE,
    name: "a plan every 30 s",
    change: given => ({ ...given, pipeline: { ...given.pipeline, intervalMs: 30_000 } }),
  },
  { ...WHOLE, name: "pods start in 5 s", change: podsIn(5) },
  { ...WHOLE, name: "pods start in 30 s", change: podsIn(30) },
  { ...WHOLE, name: "pods start in 120 s", change: podsIn(120) },
];

export function e3Cases(loads: readonly ExperimentLoad[], seed: number): readonly ExperimentCase[] {
  return e1Cases(loads, { sloFactors: [SLO_FACTOR], seed, contenders: CHANGED });
}

/** What each change does on average over the cells: effective accuracy, cores, violations. */
export function e3Report(note: string, rows: readonly ExperimentRow[]): string {
  const whole = averages(rows.filter(({ contender }) => contender === WHOLE.name));
  return [
    "## E3: what each part is worth",
    "",
    `\`default\` on IPA's five pipelines with an SLO of ${SLO_FACTOR} times the mean latency, pods that start in 8 s unless it is said, one thing changed at a time; loads: ${note}. Means over all cells; in brackets: against the whole.`,
    "",
    table(
      ["change", "effective", "cores", "violations", "dropped or lost", "switches"],
      namesOf(rows).map(name => {
        const own = averages(rows.filter(({ contender }) => contender === name));
        const against = (value: string): string => (name === WHOLE.name ? "" : ` (${value})`);
        return [
          name === WHOLE.name ? "none" : name,
          `${percent(own.effective)}${against(signed(100 * (own.effective - whole.effective)))}`,
          `${own.cores.toFixed(1)}${against(`${signed((100 * own.cores) / whole.cores - 100)} %`)}`,
          `${percent(own.violations, 2)}${against(signed(100 * (own.violations - whole.violations), 2))}`,
          percent(own.dropped, 2),
          own.switches.toFixed(0),
        ];
      }),
    ),
  ].join("\n");
}

function averages(rows: readonly ExperimentRow[]) {
  return {
    effective: mean(rows.map(({ effectiveAccuracy }) => effectiveAccuracy)),
    cores: mean(rows.map(({ cores }) => cores)),
    violations: mean(rows.map(({ violations }) => violations)),
    dropped: mean(rows.map(({ dropped, lost, offered }) => (offered > 0 ? (dropped + lost) / offered : 0))),
    switches: mean(rows.map(({ switches }) => switches)),
  };
}
