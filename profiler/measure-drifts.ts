import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import type { MeasurementsInput } from "../domain/profile-schema.ts";
import { withoutVariants } from "../domain/without-variants.ts";
import { loadCode } from "../gateway/load-code.ts";
import { type Caught, caughtByAssertions } from "./caught-by-assertions.ts";
import { type DriftErrors, driftErrors, type Estimator, estimatorsOf } from "./estimate-drifts.ts";
import { accuracyOf, fanOutOf } from "./item-result.ts";
import { describeMachine } from "./machine.ts";
import { measureSets } from "./measure-sets.ts";
import { ProfileCache } from "./profile-cache.ts";
import { readUnmeasured } from "./read-unmeasured.ts";
import { checkWritable, writeWhole } from "./write-whole.ts";

export interface DriftCommand {
  /** The pipeline file. */
  readonly file: string;
  readonly modelFolder: string;
  /** `stage/variant` of those that are not measured. */
  readonly leaveOut?: readonly string[];
  /** Where the result goes; default: `drift.json` beside the pipeline file. */
  readonly output?: string;
  /** Labelled items of each drift, and of none. */
  readonly items: number;
  /** Processes that measure at most, each with all models; default: one for each core. */
  readonly jobs?: number;
  /** Forgets what an unfinished run has measured. */
  readonly fresh?: boolean;
  readonly onProgress: (line: string) => void;
  readonly nowMs: () => number;
  /** Uniform numbers in [0, 1): which items are taken for labelled. With the same ones the result is the same. */
  readonly random: () => number;
}

/** What was measured of items that have drifted in one way. */
export interface DriftedAccuracy {
  readonly accuracy: MeasurementsInput["accuracy"];
  readonly fanOut: MeasurementsInput["fanOut"];
  /** What assertions of the pipeline's code find of these answers. */
  readonly assertions: readonly Caught[];
}

export interface DriftMeasurements {
  readonly date: string;
  /** Items of each set at most. */
  readonly items: number;
  /** By the name of the drift; `none` are the items that `profile` measures with. */
  readonly drifts: Readonly<Record<string, DriftedAccuracy>>;
  /** By the name of the drift: how well accuracy is estimated under it. */
  readonly errors: Readonly<Record<string, DriftErrors>>;
  /** What estimates accuracy without labels, for each combination of variants. */
  readonly estimators: readonly Estimator[];
}

/**
 * Measures every variant and every combination of variants on items that have drifted from those that a profile is measured with, and
 * on as many that have not; with it how well accuracy is estimated without labels, and what assertions find. A run that was broken off is gone
 * on with on the same machine and for the same models; after a change of the pipeline's own code use `fresh`.
 *
 * @throws failed_precondition when the pipeline's code has no drifted items, a model can't be run, or the result can't be written.
 */
export async function measureDrifts(
  command: DriftCommand,
): Promise<{ readonly output: string; readonly measurements: DriftMeasurements }> {
  const { file, items, onProgress } = command;
  const pipeline = withoutVariants(readUnmeasured(file), command.leaveOut ?? []);
  const code = await loadCode(pipeline, file);
  const { evaluation } = code;
  if (!evaluation?.drifts)
    throw new VariscaleError(
      "failed_precondition",
      `${pipeline.code} has no \`evaluation.drifts\`, so there is nothing that has drifted. Add labelled items for each drift.`,
    );
  const output = command.output ?? join(dirname(file), "drift.json");
  checkWritable(output);
  const cacheFile = join(dirname(output), ".variscale", "drift.json");
  if (command.fresh) rmSync(cacheFile, { force: true });
  const cache = ProfileCache.open(cacheFile, pipeline, describeMachine(), command.nowMs);
  const sets = await measureSets(
    { none: count => evaluation.items(count), ...evaluation.drifts },
    {
      ...{ pipeline, file, modelFolder: command.modelFolder, items, jobs: command.jobs ?? null },
      ...{ cache, onProgress, nowMs: command.nowMs },
    },
  );
  onProgress("fitting what estimates accuracy without labels");
  const measurements: DriftMeasurements = {
    date: new Date(command.nowMs()).toISOString(),
    items,
    drifts: Object.fromEntries(
      Object.entries(sets).map(([name, results]) => [
        name,
        {
          accuracy: accuracyOf(pipeline, results),
          fanOut: fanOutOf(pipeline, results),
          assertions: rounded(caughtByAssertions(results)),
        },
      ]),
    ),
    errors: rounded(driftErrors(pipeline, sets, { confidences: evaluation.confidences ?? [], random: command.random })),
    estimators: rounded(estimatorsOf(pipeline, sets)),
  };
  writeWhole(output, `${JSON.stringify(measurements, null, 2)}\n`);
  cache.delete();
  return { output, measurements };
}

/** All numbers to six digits: more is noise, and none of it is worth the room. */
function rounded<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (_, inner) => (typeof inner === "number" ? Number(inner.toPrecision(6)) : inner)),
  );
}
