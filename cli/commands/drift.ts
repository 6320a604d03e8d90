import { type Command, Option } from "commander";
import { findModelFolder } from "../folders.ts";
import { measuringJobsOption, parseNumber } from "../options.ts";

interface DriftFlags {
  readonly modelFolder?: string;
  readonly file?: string;
  readonly items: number;
  readonly jobs?: number;
  readonly fresh: boolean;
  readonly output: "table" | "json";
}

export function addDrift(program: Command): void {
  program
    .command("drift <pipeline>")
    .description("measure how much accuracy every combination of variants loses on items that have drifted")
    .option(
      "--model-folder <folder>",
      "model files (default: `models` beside the pipeline file, else the cache of the pipeline, filled by its recipes)",
    )
    .option(
      "--file <file>",
      "where the result goes (default: drift.json beside the pipeline file; one that comes with the package is copied to this folder)",
    )
    .option("--items <n>", "labelled items of each drift", text => parseNumber(text, 1, 100_000, true), 300)
    .addOption(measuringJobsOption())
    .option("--fresh", "forget what a broken-off run has measured", false)
    .addOption(new Option("--output <format>", "of the result").choices(["table", "json"]).default("table"))
    .addHelpText(
      "after",
      "\nExample:\n  variscale drift pipelines/video --items 500\n\nA run that was broken off goes on where it was; after a change of the pipeline's code give --fresh.",
    )
    .action(runDrift);
}

async function runDrift(path: string, flags: DriftFlags): Promise<void> {
  const { measureDrifts } = await import("../../profiler/measure-drifts.ts");
  const { seededRandom } = await import("../../load/seeded-random.ts");
  const { readUnmeasured } = await import("../../profiler/read-unmeasured.ts");
  const { pipelineFileAt } = await import("../../runtime/read-pipeline.ts");
  const { fileToMeasure } = await import("../file-to-measure.ts");
  const { writeResult } = await import("../write-result.ts");
  const { leftOutLine, prepare } = await import("../prepare-models.ts");
  const { formatDrifts } = await import("../format-drifts.ts");
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
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
  const { output, measurements } = await measureDrifts({
    file,
    modelFolder,
    leaveOut: leftOut,
    items: flags.items,
    fresh: flags.fresh,
    onProgress: say,
    nowMs: () => Date.now(),
    random: seededRandom(1),
    ...(flags.jobs !== undefined && { jobs: flags.jobs }),
    ...(flags.file === undefined ? {} : { output: flags.file }),
  });
  writeResult(
    flags.output === "json"
      ? JSON.stringify(measurements, null, 2)
      : `${formatDrifts(measurements)}\nwritten to ${output}`,
  );
}
