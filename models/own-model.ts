import { join } from "node:path";
import type { ModelRecipe } from "./prepare.ts";

/** A model that comes with its pipeline: trained with the stage's contract inside the file, in `models` of the pipeline's folder. */
export function ownModel(pipelineFolder: string, file: string, sha256: string): ModelRecipe {
  return {
    file,
    source: { kind: "file", path: join(pipelineFolder, "models", file) },
    sourceSha256: sha256,
    sha256,
    edits: [],
  };
}
