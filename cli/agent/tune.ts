import type { Interval } from "../../agent/bootstrap.ts";
import { rounded } from "../../agent/plan-summary.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { openProgress } from "../progress.ts";
import { measuredPart } from "../simulate/measured-part.ts";
import { writeResult } from "../write-result.ts";
import { type LimitFlags, limitsOf } from "./agent-flags.ts";

import { type Tuned, tuneInSimulator } from "./tune-in-simulator.ts";

export interface TuneFlags extends LimitFlags {
  readonly rps?: number;
  readonly training: number;
  readonly unseen: number;
  readonly length: number;
  readonly jobs?: number;
  readonly speedFactor?: number;
  readonly set: readonly string[];
  readonly output: "text" | "json";
}

export async function runTuning(path: string, flags: TuneFlags): Promise<void> {
  const { set, speedFactor, training, unseen, length } = flags;
  const pipeline = measuredPart(
    readPipeline(path, speedFactor === undefined ? { set } : { set, speedFactor }),
    path,
  ).pipeline;
  const progress = openProgress("simulated", process.stderr);
  const tuned = await tuneInSimulator(pipeline, {
    limits: limitsOf(flags),
    rps: flags.rps ?? null,
    training,
    unseen,
    length,
    jobs: flags.jobs ?? null,
    onProgress: progress.show,
  });
  progress.close();
  writeResult(flags.output === "json" ? JSON.stringify(tuned, null, 2) : formatTuned(tuned, training, unseen));
}

function formatTuned(tuned: Tuned, training: number, unseen: number): string {
  const { best, trained, isTaken, ofDefault, ofBest, arms, rps } = tuned;
  const found = best && {
    forecastQuantile: best.forecastQuantile,
    weights: best.weights && { cost: rounded(best.weights.cost), switch: rounded(best.weights.switch) },
  };
  return [
    `${arms} settings under generated loads of ${rounded(rps)} requests a second, by weights.accuracy · effective accuracy − weights.cost · cores`,
    `best of ${training} training loads: ${JSON.stringify(found)}`,
    `  gain on the default there: ${intervalText(trained)}`,
    `  ${isTaken ? "it is better than the default: take it" : "THE GAIN COULD BE CHANCE, or it misses the SLO: keep the default"}`,
    `on ${unseen} loads that it has not seen: ${intervalText(tuned.unseen)}`,
    `  default: utility ${rounded(ofDefault.utility)}, ${(100 * ofDefault.violations).toFixed(2)} % missed the SLO`,
    `  tuned:   utility ${rounded(ofBest.utility)}, ${(100 * ofBest.violations).toFixed(2)} % missed the SLO`,
  ].join("\n");
}

function intervalText({ mean, low, high }: Interval): string {
  return `${rounded(mean)} (95 % from ${rounded(low)} to ${rounded(high)})`;
}
