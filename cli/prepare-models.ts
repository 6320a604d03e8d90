import { existsSync } from "node:fs";
import { join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { importCode } from "../gateway/load-code.ts";
import { type ModelRecipe, type PreparedModel, prepareModels } from "../models/prepare.ts";

/**
 * Makes the model files that the recipes of a pipeline's code say how to make (its export `modelRecipes`). A pipeline without
 * recipes needs nothing made: its files must be in the folder.
 *
 * @throws VariscaleError failed_precondition where a file is missing and nothing says how to make it.
 */
export async function prepare(
  pipeline: Pipeline,
  file: string,
  folder: string,
  onProgress: (model: PreparedModel) => void,
): Promise<readonly PreparedModel[]> {
  const module = pipeline.code === null ? {} : await importCode(pipeline.code, file);
  const { modelRecipes = [] } = module as { modelRecipes?: unknown };
  if (!Array.isArray(modelRecipes))
    throw new VariscaleError("failed_precondition", `\`modelRecipes\` of ${pipeline.code} must be a list of recipes`);
  const recipes = modelRecipes as readonly ModelRecipe[];
  const prepared = await prepareModels(recipes, { targetDir: folder, onProgress });
  for (const stage of pipeline.stages) {
    for (const { name, model } of stage.variants) {
      if (!existsSync(join(folder, model))) {
        throw new VariscaleError(
          "failed_precondition",
          `${model} of variant ${stage.name}/${name} is not in ${folder}, and the pipeline has no recipe for it. Copy it there, or name its folder by --model-folder.`,
        );
      }
    }
  }
  return prepared;
}
