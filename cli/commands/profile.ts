import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { defaultModelFolder } from "../folders.ts";
import { parseNumber } from "../options.ts";

interface ProfileFlags {
  readonly modelFolder?: string;
  readonly file?: string;
  readonly items: number;
  readonly windowMs: number;
  readonly fresh: boolean;
  readonly acceptNoise: boolean;
  readonly cores: readonly number[];
  readonly output: "table" | "json";
}

/** As many as a measurements file takes. */
const MOST_CORES = 16;

export function addProfile(program: Command): void {
  program
    .command("profile <pipeline>")
    .description(
      "measure service times, fan-out and accuracy of a pipeline's variants, and write its measurements file",
    )
    .option("--model-folder <folder>", "model files (default: the cache of the pipeline, filled by its recipes)")
    .option(
      "--file <file>",
      "where the measurements go (default: the file that the pipeline file names, or measurements.json, beside it; one that comes with the package is copied to this folder)",
    )
    .option("--items <n>", "labelled items for accuracy", text => parseNumber(text, 1, 100_000, true), 300)
    .option(
      "--window-ms <ms>",
      "how long each batch size of each variant is run, in two windows some time apart",
      text => parseNumber(text, 100, 60_000),
      2000,
    )
    .option("--fresh", "forget what a broken-off run has measured", false)
    .option(
      "--cores <list>",
      "measure on these too, as in 1,2: for plans when the stage's cores are changed (default: those of the stage alone)",
      parseCores,
      [],
    )
    .option("--accept-noise", "write also where the machine was too noisy; the file says so", false)
    .addOption(new Option("--output <format>", "of the result").choices(["table", "json"]).default("table"))
    .addHelpText(
      "after",
      "\nExample:\n  variscale profile pipelines/id-card --items 500\n\nA run that was broken off goes on where it was. Run it on a quiet machine: where windows of the same batch size do not agree,\nnot even when they are repeated, it writes nothing and ends with 1; the next run measures only what was noisy.",
    )
    .action(runProfileCommand);
}

/** Each once, in ascending order. */
function parseCores(text: string): readonly number[] {
  const cores = text.split(",").map(count => parseNumber(count.trim(), 0.1, 1024));
  return [...new Set(cores)].sort((a, b) => a - b).slice(0, MOST_CORES);
}

async function runProfileCommand(path: string, flags: ProfileFlags): Promise<void> {
  const { runProfile } = await import("../../profiler/main.ts");
  const { readUnmeasured } = await import("../../profiler/read-unmeasured.ts");
  const { pipelineFileAt } = await import("../../runtime/read-pipeline.ts");
  const { fileToMeasure } = await import("../file-to-measure.ts");
  const { writeResult } = await import("../write-result.ts");
  const { leftOutLine, prepare } = await import("../prepare-models.ts");
  const { formatMeasurements } = await import("../format-measurements.ts");
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  const file =
    flags.file === undefined
      ? fileToMeasure(path, folder => say(`copied to ${folder}, where the result goes`))
      : pipelineFileAt(path);
  const pipeline = readUnmeasured(file);
  const modelFolder = resolve(flags.modelFolder ?? defaultModelFolder(process.env, pipeline));
  const { leftOut } = await prepare(
    pipeline,
    file,
    modelFolder,
    model => model.kind === "prepared" && say(`prepared ${model.file}`),
  );
  const without = leftOutLine(leftOut, file);
  if (without) say(without);
  const { output, measurements } = await runProfile({
    target: file,
    modelFolder,
    leaveOut: leftOut,
    items: flags.items,
    windowMs: flags.windowMs,
    fresh: flags.fresh,
    acceptNoise: flags.acceptNoise,
    cores: flags.cores,
    onProgress: say,
    ...(flags.file === undefined ? {} : { output: flags.file }),
  });
  writeResult(
    flags.output === "json"
      ? JSON.stringify(measurements, null, 2)
      : `${formatMeasurements(measurements)}\nwritten to ${output}`,
  );
}
