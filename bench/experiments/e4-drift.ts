import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { CombinationAccuracy } from "../../control/accuracy-drift.ts";
import type { ToldOfDrift } from "../../simulator/sim-answers.ts";
import type { Contender, ExperimentCase } from "./e1-cells.ts";
import { ownCase } from "./e2-own-pipelines.ts";
import type { ExperimentLoad } from "./ipa-loads.ts";
import { fittedLoad, folderOf, OWN_PIPELINES, ownPipeline } from "./own-pipelines.ts";
import { type ExperimentRow, mean, namesOf, percent, signed, table } from "./report-parts.ts";

const FROM_SECOND = 300;
/** Until evidence has come together; what is compared comes after it. */
const SETTLED_SECOND = 600;
const LABEL_SHARE = 0.01;
/** Nobody has measured how long people take to label: this is a guess. */
const LABEL_DELAY_SECONDS = 60;

/** What is read of `drift.json`. */
const measuredSchema = z.object({
  drifts: z.record(
    z.string(),
    z.object({
      accuracy: z.object({
        combinations: z.array(z.object({ variants: z.record(z.string(), z.string()), accuracy: z.number() })),
      }),
    }),
  ),
  errors: z.record(z.string(), z.object({ bias: z.number() })),
});

interface Knowledge {
  readonly name: string;
  /** Whether combinations that may be better are tried. Default: none are. */
  readonly trials?: boolean;
  readonly told: (bias: number) => ToldOfDrift;
}

const labelled =
  (labelShare: number) =>
  (bias: number): ToldOfDrift => ({
    kind: "estimates",
    bias,
    labelShare,
    labelDelayMs: LABEL_DELAY_SECONDS * 1000,
  });

const NOTHING: Knowledge = { name: "nothing", told: () => ({ kind: "nothing" }) };
const KNOWLEDGE: readonly Knowledge[] = [
  NOTHING,
  { name: "estimates without labels", told: labelled(0) },
  { name: "estimates without labels, trials", trials: true, told: labelled(0) },
  { name: `estimates, ${100 * LABEL_SHARE} % labelled`, told: labelled(LABEL_SHARE) },
  { name: "estimates, all labelled", told: labelled(1) },
  { name: "everything at once (oracle)", told: () => ({ kind: "accuracies" }) },
];

/** Every drift of every pipeline under the last of the loads, in the middle of the run. */
export async function e4Cases(loads: readonly ExperimentLoad[], seed: number): Promise<readonly ExperimentCase[]> {
  const load = loads.at(-1);
  if (!load) return [];
  const cases: ExperimentCase[] = [];
  for (const name of OWN_PIPELINES) {
    const file = ownPipeline(name);
    const fitted = await fittedLoad(file, load, seed);
    const { drifts, errors } = measuredSchema.parse(
      JSON.parse(readFileSync(join(folderOf(name), "drift.json"), "utf8")),
    );
    for (const [drift, { bias }] of Object.entries(errors)) {
      const accuracies: readonly CombinationAccuracy[] = drifts[drift]?.accuracy.combinations ?? [];
      for (const { name: knowledge, told, trials = false } of KNOWLEDGE) {
        const contender: Contender = {
          name: `${drift} | ${knowledge}`,
          policy: "default",
          forecast: "variscale",
          change: ({ pipeline, ...given }) => ({
            ...given,
            pipeline: { ...pipeline, accuracy: { ...pipeline.accuracy, trials } },
            drift: { fromSecond: FROM_SECOND, accuracies, told: told(bias) },
          }),
        };
        cases.push({
          cell: { pipeline: name, load: load.name, sloFactor: 1, contender: contender.name, seed },
          given: ownCase(file, fitted, contender, seed),
        });
      }
    }
  }
  return cases;
}

/** What is right and in time, what it takes, and what that is worth to the loop, once items have drifted and it had time to see it. */
export function e4Report(_note: string, rows: readonly ExperimentRow[]): string {
  const cells = cellsOf(rows);
  return [
    "## E4: drift in the middle of a run",
    "",
    `\`default\` on ${OWN_PIPELINES.join(", ")} with ${cells.length / KNOWLEDGE.length} drifts in all. After ${FROM_SECOND} s items drift, with the accuracies that \`variscale drift\` measured for every combination of variants; numbers are means from ${SETTLED_SECOND} s on. What the control loop is told of it: nothing (it plans with the tables of its profile); estimates without labels with every answer, which err by as much as was measured on average for a drift that the estimator has not learnt from; the same while combinations that may be better are tried for half a minute in five; the same with labels of some answers, ${LABEL_DELAY_SECONDS} s after them (an assumption); or the accuracies themselves at once, which nobody has. "Worth" is what plans are to maximise: points of effective accuracy less the file's price of the cores, both as means over time, while "effective" is of all requests. Of id-card 200 cards of each drift were measured, of the others 1000 items: variants that are nearly as accurate are told apart by chance there. Load: ${[...new Set(rows.map(({ load }) => load))].join(", ")}, as large as in E2. Fan-out stays what it was, though detectors find other boxes at night, and all combinations err alike.`,
    "",
    table(
      ["the loop is told", "effective", "cores", "violations", "worth", "drifts better / worse off"],
      KNOWLEDGE.map(({ name }) => meansLine(name, cells)),
    ),
    "",
    "<details><summary>Every drift</summary>",
    "",
    table(
      ["pipeline", "drift", "the loop is told", "effective", "cores", "violations", "worth"],
      cells.map(({ pipeline, drift, knowledge, effective, cores, violations, worth }) => [
        pipeline,
        drift,
        knowledge,
        percent(effective),
        cores.toFixed(1),
        percent(violations, 2),
        (100 * worth).toFixed(1),
      ]),
    ),
    "",
    "</details>",
  ].join("\n");
}

/** Worth that differs by less is the same: a tenth of a point. */
const SAME_WORTH = 0.001;

function meansLine(name: string, cells: readonly Cell[]): readonly string[] {
  const own = cells.filter(({ knowledge }) => knowledge === name);
  const gains = own.map(cell => cell.worth - (blindOf(cell, cells)?.worth ?? cell.worth));
  const worth = (100 * mean(own.map(cell => cell.worth))).toFixed(1);
  const isBlind = name === NOTHING.name;
  return [
    name,
    percent(mean(own.map(({ effective }) => effective))),
    mean(own.map(({ cores }) => cores)).toFixed(1),
    percent(mean(own.map(({ violations }) => violations)), 2),
    isBlind ? worth : `${worth} (${signed(100 * mean(gains), 2)})`,
    isBlind
      ? ""
      : `${gains.filter(gain => gain > SAME_WORTH).length} / ${gains.filter(gain => gain < -SAME_WORTH).length}`,
  ];
}

interface Cell extends ReturnType<typeof settled> {
  readonly pipeline: string;
  readonly drift: string;
  readonly knowledge: string;
  /** Effective accuracy less the price of the cores, by the weights of the pipeline's file; as plans do, whatever the load is at a time. */
  readonly worth: number;
}

/** One for each drift of each pipeline and what was told of it, whatever the seeds. */
function cellsOf(rows: readonly ExperimentRow[]): readonly Cell[] {
  return [...new Set(rows.map(({ pipeline }) => pipeline))].flatMap(pipeline => {
    const own = rows.filter(row => row.pipeline === pipeline);
    const { weights } = ownPipeline(pipeline).objective;
    return namesOf(own).map(name => {
      const [drift = "", knowledge = ""] = name.split(" | ");
      const found = settled(own.filter(({ contender }) => contender === name));
      const worth = weights.accuracy * found.effectiveOverTime - weights.cost * found.cores;
      return { pipeline, drift, knowledge, ...found, worth };
    });
  });
}

function blindOf(cell: Cell, cells: readonly Cell[]): Cell | undefined {
  return cells.find(
    ({ pipeline, drift, knowledge }) =>
      pipeline === cell.pipeline && drift === cell.drift && knowledge === NOTHING.name,
  );
}

function settled(rows: readonly ExperimentRow[]) {
  const windows = rows.flatMap(({ timeline }) => timeline.filter(({ fromSecond }) => fromSecond >= SETTLED_SECOND));
  const offered = windows.reduce((sum, { offeredRps }) => sum + offeredRps, 0);
  const share = (of: (window: (typeof windows)[number]) => number): number =>
    offered > 0 ? windows.reduce((sum, window) => sum + window.offeredRps * of(window), 0) / offered : 0;
  const effective = ({ accuracy, violations }: (typeof windows)[number]): number =>
    (accuracy ?? 0) * (1 - (violations ?? 0));
  return {
    effective: share(effective),
    effectiveOverTime: mean(windows.map(effective)),
    violations: share(({ violations }) => violations ?? 0),
    cores: mean(windows.map(({ cores }) => cores)),
  };
}
