import type { Pipeline } from "../../domain/pipeline.ts";
import { figure } from "../figure.ts";
import { IPA_PIPELINES, ipaPipeline } from "../ipa-pipelines.ts";
import { coresAt, leastCores, type WorstRise, worstRise } from "./bound-cells.ts";
import { CONTENDERS, type ExperimentCase, e1Cases, PUBLISHED_FACTOR } from "./e1-cells.ts";
import { begunLater } from "./e3b-rise.ts";
import type { ExperimentLoad } from "./ipa-loads.ts";
import { type ExperimentRow, mean, percent, table } from "./report-parts.ts";

const SLO_FACTOR = 5;
const COMPARED = ["default", "oracle", "ipa"];

/** Begun at this moment of an HPA's period the last load's rise is served worst (E3b). */
const LATER_SECONDS = 5;

/** Those of E1 that the bars on violations are about, the last load begun later, looked at second by second. */
export function boundCases(loads: readonly ExperimentLoad[], seed: number): readonly ExperimentCase[] {
  const contenders = CONTENDERS.filter(({ name }) => COMPARED.includes(name));
  const everySecond = contenders.map(one => ({
    ...one,
    change: (given: ExperimentCase["given"]) => ({ ...given, windowSeconds: 1 }),
  }));
  const last = loads.at(-1);
  const begun = last ? [...loads.slice(0, -1), begunLater(last, LATER_SECONDS)] : [];
  return e1Cases(begun, { sloFactors: [SLO_FACTOR], seed, contenders: everySecond });
}

/** What whoever does not know the load must lose at the worst rise, and the cores that each bar on violations would have taken there. */
export function boundReport(note: string, rows: readonly ExperimentRow[]): string {
  const own = rows.filter(({ contender }) => contender === "default");
  const load = worstLoad(own);
  const cells = own.filter(row => row.load === load);
  const others = own.filter(row => row.load !== load);
  const [oracle, ipa] = ["oracle", "ipa"].map(name => meanOf(rows.filter(({ contender }) => contender === name)));
  const left = (most: number): number =>
    Math.max(0, (most * own.length - others.reduce((sum, { violations }) => sum + violations, 0)) / cells.length);
  const bars = [
    { name: "violations.overOracle", share: left((oracle ?? 0) + figure("violations.overOracle", null).bar / 100) },
    { name: "violations.vsIpa", share: left((ipa ?? 0) * figure("violations.vsIpa", null).bar) },
  ];
  const found = cells.flatMap(row => {
    const pipeline = pipelineOf(row);
    const worst = pipeline && worstRise(pipeline, row.timeline);
    return pipeline && worst ? [{ row, pipeline, worst }] : [];
  });
  const lost = found.reduce((sum, { row, worst }) => sum + worst.unavoidable / row.offered, 0) / cells.length;
  return [
    "## E1b: the bound on violations",
    "",
    `The cells of E1 at ${SLO_FACTOR} times the mean latency under \`${load}\`, where \`default\` violates most: the load of that name, begun so much later (E3b); loads: ${note}. At the last second before the worst rise can be seen (the load as it is is at most 1.25 times the mean of the minute) a policy that does not know what comes has the pods that it asked for until then; what it asks for afterwards serves when its HPA has looked and the pods have started. Until then no scheduling answers more in time than these pods serve without a pause, with full batches, and what comes above that is violated whatever is done later ("unavoidable": with the pods that \`default\` had). To keep a bar, the stage had to have the cores of the last columns at that second, and so at every second that looks like it; in brackets: all cores on average of a run that never has fewer there, against those that \`default\` took. Shares are of all requests of the cell; a bar on the mean of all loads leaves this one what the others do not take.`,
    "",
    table(
      [
        "pipeline",
        "rise",
        "stage",
        "rps 10 s before",
        "10 s after",
        "pods after",
        "violated",
        "unavoidable",
        "cores",
      ].concat(bars.map(({ name, share }) => `for \`${name}\`: ${percent(share, 2)}`)),
      found.map(({ row, pipeline, worst }) => {
        const { rise } = worst;
        const stage = pipeline.stages[worst.stage];
        const around = (from: number): string => mean(rise.counts.slice(Math.max(0, from), from + 10)).toFixed(1);
        return [
          row.pipeline,
          `${rise.fromSecond} s`,
          stage?.name ?? "",
          around(rise.fromSecond - 10),
          around(rise.fromSecond + 10),
          `${(rise.readySecond - rise.fromSecond).toFixed(1)} s`,
          percent(row.violations, 2),
          percent(worst.unavoidable / row.offered, 2),
          coresBefore(pipeline, row, worst).toFixed(0),
          ...bars.map(({ share }) => needed(pipeline, row, worst, share * row.offered)),
        ];
      }),
    ),
    "",
    `On average over all pipelines \`default\` violates ${percent(meanOf(cells), 2)}, of which ${percent(lost, 2)} of all requests are unavoidable with its pods.`,
  ].join("\n");
}

function worstLoad(own: readonly ExperimentRow[]): string {
  const loads = [...new Set(own.map(({ load }) => load))];
  const violated = (load: string): number => meanOf(own.filter(row => row.load === load));
  return loads.toSorted((a, b) => violated(b) - violated(a))[0] ?? "";
}

function meanOf(rows: readonly ExperimentRow[]): number {
  return mean(rows.map(({ violations }) => violations));
}

function pipelineOf({ pipeline: name }: ExperimentRow): Pipeline | undefined {
  const ipa = IPA_PIPELINES.find(other => other.name === name);
  return ipa && ipaPipeline(ipa, { policy: "default", slaShare: SLO_FACTOR / PUBLISHED_FACTOR });
}

function coresBefore(pipeline: Pipeline, { timeline }: ExperimentRow, { rise, stage: s }: WorstRise): number {
  const stage = pipeline.stages[s];
  return stage ? coresAt(stage, timeline[rise.fromSecond - 1], s) : 0;
}

function needed(pipeline: Pipeline, row: ExperimentRow, { rise, stage: s }: WorstRise, allowed: number): string {
  const stage = pipeline.stages[s];
  if (!stage) return "";
  const cores = leastCores(stage, rise, allowed);
  const more = mean(row.timeline.map(second => Math.max(0, cores - coresAt(stage, second, s))));
  return `${cores} (+${percent(more / row.cores, 0)})`;
}
