import type { Fault } from "../../simulator/faults.ts";
import { type Contender, type ExperimentCase, e1Cases } from "./e1-cells.ts";
import type { ExperimentLoad } from "./ipa-loads.ts";
import { type ExperimentRow, mean, namesOf, percent, table } from "./report-parts.ts";

const SLO_FACTOR = 5;
/** Enough for the heaviest variants of all pipelines at twice the load. */
const NODES = { count: 8, cores: 32 };
const FROM_SECOND = 400;
/** After the end of a fault, that still counts as its time. */
const AFTER_SECONDS = 60;
const KILL_EVERY_MS = 30_000;

interface Failure {
  readonly name: string;
  readonly faults: readonly Fault[];
  readonly killEveryMs: number | null;
}

const failingFor = (name: string, kind: Fault["kind"], seconds: number): Failure => ({
  name,
  faults: [{ kind, fromSecond: FROM_SECOND, seconds }],
  killEveryMs: null,
});

const FAILURES: readonly Failure[] = [
  { name: "nothing", faults: [], killEveryMs: null },
  failingFor("the scaler is down for 60 s", "scalerDown", 60),
  failingFor("monitoring is silent for 120 s", "monitoringSilent", 120),
  failingFor("no count changes for 120 s", "hpaStuck", 120),
  failingFor("a node is lost for 120 s", "nodeLost", 120),
  { name: "a pod dies every 30 s", faults: [], killEveryMs: KILL_EVERY_MS },
];
const LONGEST_SECONDS = 120;

const POLICIES: readonly Contender[] = [
  { name: "default", policy: "default", forecast: "variscale" },
  { name: "ipa", policy: "ipa", forecast: "recentPeak", hasMargin: true },
  { name: "HPA, heaviest", policy: "reactive", forecast: "reactive", fixed: "heaviest" },
];

export function e5Cases(loads: readonly ExperimentLoad[], seed: number): readonly ExperimentCase[] {
  const contenders = FAILURES.flatMap(({ name, faults, killEveryMs }) =>
    POLICIES.map(
      (policy): Contender => ({
        ...policy,
        name: `${name} | ${policy.name}`,
        change: given => ({ ...given, faults, killEveryMs, cluster: { ...given.cluster, nodes: NODES } }),
      }),
    ),
  );
  return e1Cases(loads, { sloFactors: [SLO_FACTOR], seed, contenders });
}

/** What failures cost: all violations, and those of the time from the fault's start to a minute after the longest one's end. */
export function e5Report(note: string, rows: readonly ExperimentRow[]): string {
  return [
    "## E5: failures",
    "",
    `IPA's five pipelines with an SLO of ${SLO_FACTOR} times the mean latency on ${NODES.count} nodes of ${NODES.cores} cores; loads: ${note}. Faults begin after ${FROM_SECOND} s; "around it" is the time from then to ${AFTER_SECONDS} s after the longest fault's end, for those that nothing happens to, too. Means over all cells.`,
    "",
    table(
      ["what fails", "policy", "effective", "cores", "violations", "around it", "lost requests"],
      namesOf(rows).map(name => {
        const own = rows.filter(({ contender }) => contender === name);
        const [failure = "", policy = ""] = name.split(" | ");
        return [
          failure,
          policy,
          percent(mean(own.map(({ effectiveAccuracy }) => effectiveAccuracy))),
          mean(own.map(({ cores }) => cores)).toFixed(1),
          percent(mean(own.map(({ violations }) => violations)), 2),
          percent(mean(own.map(around)), 2),
          String(own.reduce((sum, { lost }) => sum + lost, 0)),
        ];
      }),
    ),
  ].join("\n");
}

function around({ timeline }: ExperimentRow): number {
  let offered = 0;
  let violated = 0;
  for (const { fromSecond, offeredRps, violations } of timeline) {
    if (fromSecond < FROM_SECOND || fromSecond >= FROM_SECOND + LONGEST_SECONDS + AFTER_SECONDS) continue;
    offered += offeredRps;
    violated += offeredRps * (violations ?? 0);
  }
  return offered > 0 ? violated / offered : 0;
}
