import type { ErrorCode } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { LabelledItem } from "../gateway/stage.ts";
import type { ItemResult } from "./item-result.ts";

export interface PipelineSource {
  readonly pipeline: Pipeline;
  /** The file that `pipeline` was read from. */
  readonly file: string;
  readonly modelFolder: string;
}

/** What a process that measures items is asked, one request at a time. */
export type ItemRequest =
  | { readonly kind: "open"; readonly source: PipelineSource }
  | { readonly kind: "measure"; readonly item: LabelledItem }
  /** Gives up the models, so that another server unloads them. */
  | { readonly kind: "close" };

export type ItemReply =
  | { readonly kind: "opened" }
  | { readonly kind: "measured"; readonly result: ItemResult }
  | { readonly kind: "closed" }
  | {
      readonly kind: "failed";
      readonly code: ErrorCode;
      readonly message: string;
      readonly ownStack: readonly string[] | null;
    };
