import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import { unfitVariants } from "../../domain/memory-fit.ts";
import { formatKey, type Pipeline } from "../../domain/pipeline.ts";
import { measurementsSchema } from "../../domain/profile-schema.ts";
import { withoutVariants } from "../../domain/without-variants.ts";
import { loadCode } from "../../gateway/load-code.ts";
import { findWrongModels } from "../../models/model-hashes.ts";
import { findRefused } from "../../profiler/check-contracts.ts";
import { pipelineFileAt, readPipeline } from "../../runtime/read-pipeline.ts";
import { findModelFolder } from "../folders.ts";

export const CHECKS = ["file", "models", "contracts", "code", "memory", "measurements"] as const;

/** One part of a pipeline that was looked at. */
export interface Check {
  readonly check: (typeof CHECKS)[number];
  /** Sentences on what has to be mended; none: it is right. */
  readonly problems: readonly string[];
  /** Sentences on what was not looked at, or is worth knowing. */
  readonly notes: readonly string[];
}

export interface Validation {
  /** namespace/name; null: the file can't be read. */
  readonly pipeline: string | null;
  readonly modelFolder: string | null;
  readonly isValid: boolean;
  readonly checks: readonly Check[];
}

export interface ValidateOptions {
  /** The pipeline file, or its folder. */
  readonly path: string;
  readonly set: readonly string[];
  /** The folder where it is not said is `models` beside the file, or the cache. */
  readonly modelFolder?: string;
}

/** Looks at everything that can be known of a pipeline without measuring or serving it. Every part is looked at, whatever is wrong with others. */
export async function validatePipeline({ path, set, modelFolder: named }: ValidateOptions): Promise<Validation> {
  const file = pipelineFileAt(path);
  let pipeline: Pipeline;
  try {
    pipeline = readPipeline(path, { set });
  } catch (error) {
    const problems = VariscaleError.from(error).message.split("\n");
    return { pipeline: null, modelFolder: null, isValid: false, checks: [{ check: "file", problems, notes: [] }] };
  }
  const modelFolder = findModelFolder(process.env, named, pipeline, file);
  const { models, unusable } = await checkModels(pipeline, modelFolder);
  const contracts = await checkAgainstContracts(withoutVariants(pipeline, unusable), modelFolder);
  const withoutFile = unusable.map(variant => `not looked at: ${variant}, whose model file is not the right one`);
  const checks: Check[] = [
    { check: "file", problems: [], notes: [] },
    models,
    { ...contracts, notes: [...contracts.notes, ...withoutFile] },
    await checkCode(pipeline, file),
    checkMemory(pipeline),
    checkMeasured(pipeline, file),
  ];
  const isValid = checks.every(({ problems }) => problems.length === 0);
  return { pipeline: formatKey(pipeline.key), modelFolder, isValid, checks };
}

/** Files of packages that are not installed are no fault: the pipeline goes without these variants. */
async function checkModels(
  pipeline: Pipeline,
  modelFolder: string,
): Promise<{ readonly models: Check; readonly unusable: readonly string[] }> {
  const wrong = await findWrongModels(pipeline, modelFolder);
  const isLeftOut = (stage: string, variant: string, found: string | null): boolean => {
    const own = pipeline.stages.find(({ name }) => name === stage)?.variants.find(({ name }) => name === variant);
    return found === null && own?.package !== null;
  };
  const leftOut = wrong.filter(({ stage, variant, found }) => isLeftOut(stage, variant, found));
  const notes = leftOut.map(
    ({ stage, variant }) => `${stage}/${variant} is not installed: \`variscale models install\` gets it.`,
  );
  const problems = wrong.filter(one => !leftOut.includes(one)).map(({ message }) => message);
  const unusable = wrong.map(({ stage, variant }) => `${stage}/${variant}`);
  return { models: { check: "models", problems, notes }, unusable };
}

/** A server that does not answer now, or describes a model only once it has loaded it, may do so where the pipeline is served. */
async function checkAgainstContracts(pipeline: Pipeline, modelFolder: string): Promise<Check> {
  const refused = await findRefused(pipeline, modelFolder, false);
  const isAway = ({ stage, variant, code }: (typeof refused)[number]): boolean => {
    const own = pipeline.stages.find(({ name }) => name === stage)?.variants.find(({ name }) => name === variant);
    return own?.driver === "remote" && code === "model_missing";
  };
  return {
    check: "contracts",
    problems: refused
      .filter(one => !isAway(one))
      .map(({ message, fix }) => (fix === null ? message : `${message} ${fix}`)),
    notes: refused.filter(isAway).map(({ message }) => `not looked at: ${message}`),
  };
}

async function checkCode(pipeline: Pipeline, file: string): Promise<Check> {
  if (pipeline.code === null)
    return { check: "code", problems: [], notes: ["the file names no code: clients call the stages themselves"] };
  try {
    const { evaluation } = await loadCode(pipeline, file);
    const note = "the code has no evaluation, so that `variscale profile` measures service times alone";
    return { check: "code", problems: [], notes: evaluation ? [] : [note] };
  } catch (error) {
    return { check: "code", problems: [VariscaleError.from(error).message], notes: [] };
  }
}

function checkMemory(pipeline: Pipeline): Check {
  const isMeasured = pipeline.stages.some(({ variants }) => variants.some(({ profile }) => profile?.memoryMiB));
  const notes = isMeasured ? [] : ["no memory was measured yet"];
  return { check: "memory", problems: unfitVariants(pipeline).map(({ message }) => message), notes };
}

/** Profiles of variants that there are no more say that the file has changed since it was measured. */
function checkMeasured(pipeline: Pipeline, file: string): Check {
  const { measurements, stages } = pipeline;
  const unmeasured = stages.flatMap(({ name, variants }) =>
    variants.filter(({ profile }) => profile === null).map(variant => `${name}/${variant.name}`),
  );
  const isAll = stages.every(({ variants }) => variants.every(({ profile }) => profile === null));
  if (isAll)
    return { check: "measurements", problems: [], notes: ["nothing was measured yet: `variscale profile` does it"] };
  const notes = unmeasured.map(name => `${name} was not measured, and is not planned with`);
  const problems = stages
    .filter(({ variants }) => variants.every(({ profile }) => profile === null))
    .map(({ name }) => `no variant of stage ${name} was measured: run \`variscale profile ${file}\`.`);
  if (measurements?.isThere) problems.push(...findUnknown(pipeline, join(dirname(file), measurements.file)));
  return { check: "measurements", problems, notes };
}

function findUnknown(pipeline: Pipeline, path: string): readonly string[] {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "null";
  const parsed = z.object({ stages: measurementsSchema.shape.stages }).loose().safeParse(JSON.parse(text));
  return Object.entries(parsed.data?.stages ?? {}).flatMap(([stage, profiles]) => {
    const own = pipeline.stages.find(({ name }) => name === stage);
    const names = Object.keys(profiles).filter(name => !own?.variants.some(variant => variant.name === name));
    return names.map(
      name =>
        `${path} has ${stage}/${name}, which the pipeline file does not have: it was renamed or removed. Run \`variscale profile\` again.`,
    );
  });
}
