import { existsSync } from "node:fs";
import { join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { importCode } from "../gateway/load-code.ts";
import { copyLicence } from "../models/licence-file.ts";
import { type ModelRecipe, type PreparedModel, prepareModels } from "../models/prepare.ts";
import { defaultModelFolder } from "./folders.ts";
import { nameOfPipeline } from "./own-pipelines.ts";

export interface Prepared {
  readonly models: readonly PreparedModel[];
  /** `stage/variant` of those whose Python package has to be installed first: what runs the pipeline goes without them. */
  readonly leftOut: readonly string[];
}

/**
 * Makes the model files that the recipes of a pipeline's code say how to make (its export `modelRecipes`). A pipeline without
 * recipes needs nothing made: its files must be in the folder.
 *
 * @throws VariscaleError failed_precondition where a file is missing and nothing says how to make it, or a stage's default
 *   variant has to be installed first.
 */
export async function prepare(
  pipeline: Pipeline,
  file: string,
  folder: string,
  onProgress: (model: PreparedModel) => void,
): Promise<Prepared> {
  const recipes = await recipesOf(pipeline, file);
  const installedDir = defaultModelFolder(process.env, pipeline);
  const models = await prepareModels(recipes, { targetDir: folder, installedDir, onProgress });
  for (const wanted of pipeline.packages) await copyLicence(wanted, installedDir, folder);
  const leftOut = missingVariants(pipeline, folder, models);
  for (const stage of pipeline.stages) {
    if (!leftOut.includes(`${stage.name}/${stage.defaultVariant}`)) continue;
    throw new VariscaleError(
      "failed_precondition",
      `${stage.defaultVariant}, the default variant of stage ${stage.name}, is not installed. Run \`${installCommand(file)}\`, or name another \`defaultVariant\`.`,
    );
  }
  return { models, leftOut };
}

/** @throws failed_precondition where the pipeline's code exports something else in their place. */
export async function recipesOf(pipeline: Pipeline, file: string): Promise<readonly ModelRecipe[]> {
  const module = pipeline.code === null ? {} : await importCode(pipeline.code, file);
  const { modelRecipes = [] } = module as { modelRecipes?: unknown };
  if (!Array.isArray(modelRecipes))
    throw new VariscaleError("failed_precondition", `\`modelRecipes\` of ${pipeline.code} must be a list of recipes`);
  return modelRecipes as readonly ModelRecipe[];
}

/** The line that says what is left out and what gets it; null: nothing is. */
export function leftOutLine(leftOut: readonly string[], file: string): string | null {
  if (leftOut.length === 0) return null;
  return `without ${leftOut.join(", ")}: not installed; \`${installCommand(file)}\` gets ${leftOut.length === 1 ? "it" : "them"}`;
}

function installCommand(file: string): string {
  return `variscale models install ${nameOfPipeline(file)}`;
}

/** @throws failed_precondition for a file that is missing and does not come from a package. */
function missingVariants(pipeline: Pipeline, folder: string, models: readonly PreparedModel[]): string[] {
  const notInstalled = models.filter(model => model.kind === "missing").map(model => model.file);
  return pipeline.stages.flatMap(stage =>
    stage.variants.flatMap(variant => {
      if (variant.driver === "remote") return [];
      if (!notInstalled.includes(variant.model) && existsSync(join(folder, variant.model))) return [];
      if (variant.package !== null) return [`${stage.name}/${variant.name}`];
      throw new VariscaleError(
        "failed_precondition",
        `${variant.model} of variant ${stage.name}/${variant.name} is not in ${folder}, and the pipeline has no recipe for it. Copy it there, or name its folder by --model-folder.`,
      );
    }),
  );
}
