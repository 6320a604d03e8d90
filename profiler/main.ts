import { rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import type { MeasurementsInput } from "../domain/profile-schema.ts";
import { withoutVariants } from "../domain/without-variants.ts";
import { loadCode } from "../gateway/load-code.ts";
import type { PipelineCode } from "../gateway/stage.ts";
import { checkModelHashes } from "../models/model-hashes.ts";
import { checkContracts } from "./check-contracts.ts";
import { GAP_MS, profilePipeline } from "./profile-pipeline.ts";
import { readUnmeasured } from "./read-unmeasured.ts";
import { checkWritable, writeWhole } from "./write-whole.ts";

export interface ProfileCommand {
  /** The pipeline's folder, with `pipeline.yaml`, or the pipeline file itself. */
  readonly target: string;
  readonly modelFolder: string;
  /** `stage/variant` of those that are not measured. */
  readonly leaveOut?: readonly string[];
  /** Where the measurements go; default: the file that the pipeline file names, or `measurements.json`, beside it. */
  readonly output?: string;
  /** Labelled items for accuracy; at least 300 give intervals of ± 5 points or less. Default 300. */
  readonly items?: number;
  /** Processes that measure accuracy at most, each with all models; default: one for each core. */
  readonly jobs?: number;
  /** How long items are measured at most; the file says how many that were. Default: until all are. */
  readonly minutes?: number;
  /** How long two windows of each batch size of each variant are together; some have more. Default 2 s. */
  readonly windowMs?: number;
  /** Between the first two windows of the same variant at least; a fifth of it between later ones. Default 5 s. */
  readonly gapMs?: number;
  /** Measures every variant on these too, beside the cores of its stage. */
  readonly cores?: readonly number[];
  /** Writes also where the machine was too noisy; the file says so. */
  readonly acceptNoise?: boolean;
  /** Forgets what an unfinished run has measured. */
  readonly fresh?: boolean;
  readonly onProgress: (line: string) => void;
}

/**
 * `variscale profile DIR`: measures the pipeline and writes its measurements file, whole or not at all. A run that was broken off
 * is gone on with on the same machine and for the same models; after a change of the pipeline's own code use `fresh`.
 *
 * @returns where the measurements were written, and what.
 * @throws VariscaleError when the file, its code or a model is wrong, the measurements can't be written, or the
 * machine was too noisy: then what was quiet is kept, and the next run measures the rest anew.
 */
export async function runProfile(
  command: ProfileCommand,
): Promise<{ readonly output: string; readonly measurements: MeasurementsInput }> {
  const file = isFolder(command.target) ? join(command.target, "pipeline.yaml") : command.target;
  const pipeline = withoutVariants(readUnmeasured(file), command.leaveOut ?? []);
  const output = command.output ?? join(dirname(file), pipeline.measurements?.file ?? "measurements.json");
  checkWritable(output);
  await checkModelHashes(pipeline, command.modelFolder);
  await checkContracts(pipeline, command.modelFolder, ["contract_mismatch", "model_invalid"]);
  const cacheFile = join(dirname(output), ".variscale", "profile.json");
  if (command.fresh) rmSync(cacheFile, { force: true });
  const measurements = await profilePipeline({
    pipeline,
    file,
    code: pipeline.code === null ? NO_CODE : await loadCode(pipeline, file),
    modelFolder: command.modelFolder,
    items: checkItems(command.items ?? 300),
    jobs: command.jobs ?? null,
    minutes: command.minutes ?? null,
    windowMs: command.windowMs ?? 2000,
    gapMs: command.gapMs ?? GAP_MS,
    cores: command.cores ?? [],
    acceptNoise: command.acceptNoise ?? false,
    cacheFile,
    write: measured => writeWhole(output, `${JSON.stringify(measured, null, 2)}\n`),
    onProgress: command.onProgress,
    nowMs: () => Date.now(),
  });
  return { output, measurements };
}

/** A pipeline whose clients call the stages themselves has variants to measure, and nothing else. */
const NO_CODE: PipelineCode = { decode: () => null, stages: {}, respond: () => null };

function checkItems(items: number): number {
  if (Number.isInteger(items) && items >= 1 && items <= 100_000) return items;
  throw new VariscaleError("invalid_argument", `items must be a whole number from 1 to 100000, is ${items}`);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
