import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Pipeline } from "../../domain/pipeline.ts";
import type { ModelRecipe } from "../../models/prepare.ts";

/** The pipeline file pins the model files that the recipes make, and its stages are those of its code. */
export function checkPins(
  pipeline: Pipeline,
  recipes: readonly ModelRecipe[],
  code: { readonly stages: object },
): void {
  const pinned = pipeline.stages.flatMap(({ variants }) => variants.map(({ model, sha256 }) => `${model} ${sha256}`));
  assert.deepEqual(pinned.sort(), recipes.map(({ file, sha256 }) => `${file} ${sha256}`).sort());
  assert.deepEqual(
    Object.keys(code.stages),
    pipeline.stages.map(({ name }) => name),
  );
}

/** The fan-outs of a stage that the pipeline file in a folder states are those that were measured. */
export async function checkFanOuts(folder: string, stage: string): Promise<void> {
  const { fanOut } = JSON.parse(await readFile(join(folder, "measurements.json"), "utf8"));
  const { rowsByVariant } = fanOut[stage] as { rowsByVariant: Record<string, number> };
  const stated = await readFile(join(folder, "pipeline.yaml"), "utf8");
  const [, list = ""] = /byUpstreamVariant: \{ (.*) \}/.exec(stated) ?? [];
  const rounded = Object.entries(rowsByVariant).map(([variant, rows]) => `${variant}: ${Math.round(rows * 10) / 10}`);
  assert.equal(list, rounded.join(", "));
}
