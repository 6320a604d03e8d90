import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { CombinationAccuracy } from "../../control/accuracy-drift.ts";
import type { SimulatedDrift } from "../../simulator/sim-answers.ts";
import type { Contender, ExperimentCase } from "./e1-cells.ts";
import { ownCase } from "./e2-own-pipelines.ts";
import type { ExperimentLoad } from "./ipa-loads.ts";
import { fittedLoad, folderOf, ownPipeline } from "./own-pipelines.ts";
import { type ExperimentRow, mean, namesOf, percent, signed, table } from "./report-parts.ts";

/** Those that have a file of `variscale drift`. */
const PIPELINES = ["video", "audio", "question-answering"] as const;
const FROM_SECOND = 300;
/** Until evidence has come together; what is compared comes after it. */
const SETTLED_SECOND = 600;
const LABEL_SHARE = 0.01;

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

interface Told {
  readonly name: string;
  readonly told: (bias: number) => SimulatedDrift["told"];
}

const KNOWLEDGE: readonly Told[] = [
  { name: "nothing", told: () => null },
  { name: "estimates without labels", told: bias => ({ bias, labelShare: 0 }) },
  { name: `and ${100 * LABEL_SHARE} % labelled`, told: bias => ({ bias, labelShare: LABEL_SHARE }) },
  { name: "and all labelled", told: bias => ({ bias, labelShare: 1 }) },
];

/** Every drift of every pipeline under the last of the loads, in the middle of the run. */
export async function e4Cases(loads: readonly ExperimentLoad[], seed: number): Promise<readonly ExperimentCase[]> {
  const load = loads.at(-1);
  if (!load) return [];
  const cases: ExperimentCase[] = [];
  for (const name of PIPELINES) {
    const file = ownPipeline(name);
    const fitted = await fittedLoad(file, load, seed);
    const { drifts, errors } = measuredSchema.parse(
      JSON.parse(readFileSync(join(folderOf(name), "drift.json"), "utf8")),
    );
    for (const [drift, { bias }] of Object.entries(errors)) {
      const accuracies: readonly CombinationAccuracy[] = drifts[drift]?.accuracy.combinations ?? [];
      for (const { name: knowledge, told } of KNOWLEDGE) {
        const contender: Contender = {
          name: `${drift} | ${knowledge}`,
          policy: "default",
          forecast: "variscale",
          change: given => ({ ...given, drift: { fromSecond: FROM_SECOND, accuracies, told: told(bias) } }),
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

/** What is right and in time, and what it takes, once items have drifted and the loop had time to see it. */
export function e4Report(_note: string, rows: readonly ExperimentRow[]): string {
  return [
    "## E4: drift in the middle of a run",
    "",
    `After ${FROM_SECOND} s items drift, with the accuracies that \`variscale drift\` measured for every combination of variants; numbers are means from ${SETTLED_SECOND} s on. What answers tell the control loop: nothing; estimates without labels that err as much as was measured for that drift; with labels of some answers, which come at once. Load: ${[...new Set(rows.map(({ load }) => load))].join(", ")}, as large as in E2. Fan-out stays what it was, though detectors find other boxes at night.`,
    "",
    table(
      ["pipeline", "drift", "the loop is told", "effective", "against nothing", "cores", "violations"],
      [...new Set(rows.map(({ pipeline }) => pipeline))].flatMap(pipeline => {
        const own = rows.filter(row => row.pipeline === pipeline);
        return namesOf(own).map(name => {
          const [drift = "", knowledge = ""] = name.split(" | ");
          const found = settled(own.filter(({ contender }) => contender === name));
          const blind = settled(own.filter(({ contender }) => contender === `${drift} | ${KNOWLEDGE[0]?.name}`));
          return [
            pipeline,
            drift,
            knowledge,
            percent(found.effective),
            signed(100 * (found.effective - blind.effective)),
            found.cores.toFixed(1),
            percent(found.violations, 2),
          ];
        });
      }),
    ),
  ].join("\n");
}

function settled(rows: readonly ExperimentRow[]) {
  const windows = rows.flatMap(({ timeline }) => timeline.filter(({ fromSecond }) => fromSecond >= SETTLED_SECOND));
  const offered = windows.reduce((sum, { offeredRps }) => sum + offeredRps, 0);
  const share = (of: (window: (typeof windows)[number]) => number): number =>
    offered > 0 ? windows.reduce((sum, window) => sum + window.offeredRps * of(window), 0) / offered : 0;
  return {
    effective: share(({ accuracy, violations }) => (accuracy ?? 0) * (1 - (violations ?? 0))),
    violations: share(({ violations }) => violations ?? 0),
    cores: mean(windows.map(({ cores }) => cores)),
  };
}
