import { availableParallelism } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import { VariscaleError } from "../../domain/errors.ts";
import type { MeasurementsInput } from "../../domain/profile-schema.ts";
import { findModelFolder } from "../folders.ts";
import { collect, measuringJobsOption, parseNumber } from "../options.ts";

interface ProfileFlags {
  readonly modelFolder?: string;
  readonly file?: string;
  readonly items: number;
  readonly jobs?: number;
  readonly minutes?: number;
  readonly windowMs: number;
  readonly fresh: boolean;
  readonly acceptNoise: boolean;
  readonly cores: readonly number[];
  readonly picture?: string;
  readonly shape: readonly string[];
  readonly output: "table" | "json";
}

/** As many as a measurements file takes. */
const MOST_CORES = 16;

export function addProfile(program: Command): void {
  program
    .command("profile <pipeline>")
    .description(
      "measure service times, fan-out and accuracy of a pipeline's variants, and write its measurements file; or service times of one ONNX file, or of one model of a server (…/v2/models/NAME)",
    )
    .option(
      "--model-folder <folder>",
      "model files (default: `models` beside the pipeline file, else the cache of the pipeline, filled by its recipes)",
    )
    .option(
      "--file <file>",
      "where the measurements go (default: the file that the pipeline file names, or measurements.json, beside it; one that comes with the package is copied to this folder; of one model: nowhere)",
    )
    .option("--items <n>", "labelled items for accuracy", text => parseNumber(text, 1, 100_000, true), 300)
    .option(
      "--window-ms <ms>",
      "how long two windows of each batch size of each variant are together, some time apart; short variants and doubtful windows have more",
      text => parseNumber(text, 100, 60_000),
      2000,
    )
    .option(
      "--minutes <n>",
      "measure items for accuracy for so long at most; the result says how many that were (default: all of them)",
      text => parseNumber(text, 0.1, 10_000),
    )
    .addOption(measuringJobsOption())
    .option("--fresh", "forget what a broken-off run has measured", false)
    .option(
      "--cores <list>",
      "measure on these too, as in 1,2, up to the cores of this machine: for plans when the stage's cores are changed (default: those of the stage alone)",
      parseCores,
      [],
    )
    .option(
      "--shape <input=shape>",
      "of a row, as in image=3x224x224, where one model leaves dimensions open (default: 1 each); may be repeated",
      collect,
      [],
    )
    .option("--accept-noise", "write also where the machine was too noisy; the file says so", false)
    .option("--picture <file>", "draw service time and throughput of each variant by batch: .svg")
    .addOption(new Option("--output <format>", "of the result").choices(["table", "json"]).default("table"))
    .addHelpText(
      "after",
      "\nExamples:\n  variscale profile pipelines/id-card --items 500\n  variscale profile model.onnx --shape ids=128 --cores 1,2 --picture times.svg\n  variscale profile http://127.0.0.1:8000/v2/models/detector\n\nA run that was broken off goes on where it was; after a change of the pipeline's code give --fresh. Run it on a quiet machine: where windows of the same batch size do not agree,\nnot even when they are repeated, it writes nothing and ends with 1; the next run measures only what was noisy.",
    )
    .action(runProfileCommand);
}

/** Each once, in ascending order: threads that run at the same time here, or what is measured is not what the file says. */
function parseCores(text: string): readonly number[] {
  const cores = text.split(",").map(count => parseNumber(count.trim(), 1, availableParallelism(), true));
  const each = [...new Set(cores)].sort((a, b) => a - b);
  if (each.length > MOST_CORES) throw new InvalidArgumentError(`must be ${MOST_CORES} numbers at most.`);
  return each;
}

async function runProfileCommand(target: string, flags: ProfileFlags): Promise<void> {
  const { isModel } = await import("../profile/direct-pipeline.ts");
  const { checkPicture, writePicture } = await import("../picture-file.ts");
  const { writeResult } = await import("../write-result.ts");
  const { formatMeasurements } = await import("../format-measurements.ts");
  if (flags.picture !== undefined) checkPicture(flags.picture, [".svg"]);
  if (flags.shape.length > 0 && !isModel(target))
    throw new VariscaleError("invalid_argument", "--shape is for one model; a pipeline's file has the shapes");
  const {
    output,
    measurements,
    warnings = [],
  } = await (isModel(target) ? measureModel : measurePipeline)(target, flags);
  if (flags.picture !== undefined) {
    const { profilePicture } = await import("../profile/profile-picture.ts");
    writePicture(flags.picture, profilePicture(measurements));
  }
  const written = output === undefined ? "" : `\nwritten to ${output}`;
  for (const line of warnings) say(line);
  writeResult(
    flags.output === "json" ? JSON.stringify(measurements, null, 2) : `${formatMeasurements(measurements)}${written}`,
  );
}

interface MeasureResult {
  readonly output: string | undefined;
  readonly measurements: MeasurementsInput;
  /** Sentences about variants that are never right, and those that the memory of their stage is too small for. */
  readonly warnings?: readonly string[];
}

async function measureModel(target: string, flags: ProfileFlags): Promise<MeasureResult> {
  const { profileModel } = await import("../profile/profile-model.ts");
  const { cores, windowMs, acceptNoise, file } = flags;
  const measurements = await profileModel({
    ...{ target, cores, windowMs, acceptNoise },
    shapes: flags.shape,
    onProgress: say,
    ...(file !== undefined && { file }),
  });
  return { output: file, measurements };
}

async function measurePipeline(path: string, flags: ProfileFlags): Promise<MeasureResult> {
  const { runProfile } = await import("../../profiler/main.ts");
  const { readUnmeasured } = await import("../../profiler/read-unmeasured.ts");
  const { pipelineFileAt } = await import("../../runtime/read-pipeline.ts");
  const { findUnfit } = await import("../../domain/memory-fit.ts");
  const { findNeverRight } = await import("../../profiler/check-accuracy.ts");
  const { fileToMeasure } = await import("../file-to-measure.ts");
  const { leftOutLine, prepare } = await import("../prepare-models.ts");
  const file =
    flags.file === undefined
      ? fileToMeasure(path, folder => say(`copied to ${folder}, where the result goes`))
      : pipelineFileAt(path);
  const pipeline = readUnmeasured(file);
  const modelFolder = findModelFolder(process.env, flags.modelFolder, pipeline, file);
  const { leftOut } = await prepare(
    pipeline,
    file,
    modelFolder,
    model => model.kind === "prepared" && say(`prepared ${model.file}`),
  );
  const without = leftOutLine(leftOut, file);
  if (without) say(without);
  const { items, windowMs, fresh, acceptNoise, cores } = flags;
  const result = await runProfile({
    ...{ target: file, modelFolder, items, windowMs, fresh, acceptNoise, cores },
    leaveOut: leftOut,
    onProgress: say,
    ...(flags.jobs !== undefined && { jobs: flags.jobs }),
    ...(flags.minutes !== undefined && { minutes: flags.minutes }),
    ...(flags.file === undefined ? {} : { output: flags.file }),
  });
  const unfit = pipeline.stages.flatMap(({ name, memoryMiB, defaultVariant, variants }) => {
    const profiles = result.measurements.stages[name] ?? {};
    const sizes = variants.map(variant => ({
      name: variant.name,
      sessionMiB: profiles[variant.name]?.memoryMiB ?? null,
    }));
    return findUnfit({ name, memoryMiB, defaultVariant, variants: sizes });
  });
  return {
    ...result,
    warnings: [...findNeverRight(result.measurements.accuracy), ...unfit.map(({ message }) => message)],
  };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
