import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { defaultModelFolder } from "../folders.ts";

export function addModels(program: Command): void {
  const models = program.command("models").description("the model files of a pipeline");
  models
    .command("prepare <pipeline>")
    .description(
      "make the model files of all variants of a pipeline that comes with recipes; files that are right already stay",
    )
    .option("--model-folder <folder>", "where they go (default: the cache of the pipeline)")
    .addOption(new Option("--output <format>", "of the result").choices(["table", "json"]).default("table"))
    .addHelpText("after", "\nExample:\n  variscale models prepare pipelines/id-card")
    .action(async (path: string, flags: { modelFolder?: string; output: string }) => {
      const { readPipeline, pipelineFileAt } = await import("../../runtime/read-pipeline.ts");
      const { prepare } = await import("../prepare-models.ts");
      const pipeline = readPipeline(path);
      const folder = resolve(flags.modelFolder ?? defaultModelFolder(process.env, pipeline));
      const prepared = await prepare(pipeline, pipelineFileAt(path), folder, model => {
        if (flags.output !== "json")
          console.log(
            `${model.kind === "cached" ? "kept    " : "prepared"}  ${model.file}  sha256 ${model.sha256.slice(0, 12)}…`,
          );
      });
      console.log(
        flags.output === "json"
          ? JSON.stringify({ folder, models: prepared }, null, 2)
          : `models of ${pipeline.key.name} are in ${folder}`,
      );
    });
}
