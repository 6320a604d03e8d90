import { join } from "node:path";
import type { Stage, Variant } from "../domain/pipeline.ts";
import type { StageContract } from "../domain/tensor.ts";

/** A variant as a switcher of its stage would serve it in its own process. */
export interface ModelFile {
  readonly kind: "file";
  readonly path: string;
  readonly sha256: string;
  readonly contract: StageContract;
  readonly threads: number;
}

/** A variant that another server of the Open Inference Protocol runs. */
export interface RemoteModel {
  readonly kind: "remote";
  readonly url: string;
  /** Its name in that server. */
  readonly model: string;
  readonly contract: StageContract;
}

/** What a session is made of. */
export type ModelSource = ModelFile | RemoteModel;

export function sourceOf(stage: Stage, variant: Variant, modelFolder: string): ModelSource {
  const { contract } = stage;
  if (variant.sha256 === null) return { kind: "remote", url: variant.url ?? "", model: variant.model, contract };
  return {
    kind: "file",
    path: join(modelFolder, variant.model),
    sha256: variant.sha256,
    contract,
    threads: threadsOf(stage.cores),
  };
}

/** Within an operator: whole cores, at least one. */
export function threadsOf(cores: number): number {
  return Math.max(1, Math.floor(cores));
}

/** What a source is called in messages. */
export function nameOf(source: ModelSource): string {
  return source.kind === "file" ? source.path : `${source.model} at ${source.url}`;
}
