import type { Row } from "../gateway/stage.ts";
import type { ModelSource } from "./model-source.ts";
import type { Run } from "./service-time.ts";

/** What a measuring process is asked, one request at a time. */
export type MeasureRequest =
  | { readonly kind: "open"; readonly source: ModelSource; readonly rows: readonly Row[] }
  | { readonly kind: "run"; readonly batch: number; readonly windowMs: number }
  /** Whether a batch's rows have the outputs that they have alone. */
  | { readonly kind: "compare"; readonly batch: number }
  /** The memory that one session takes after full batches of these sizes, in ascending order: asked of a process that has opened nothing. */
  | {
      readonly kind: "memory";
      readonly source: ModelSource;
      readonly rows: readonly Row[];
      readonly batches: readonly number[];
    }
  /** Gives up the session, so that another server unloads the model. */
  | { readonly kind: "close" };

export type MeasureReply =
  /** From the file to a warm session, each load. */
  | { readonly kind: "opened"; readonly loadsMs: readonly number[] }
  | { readonly kind: "ran"; readonly runs: readonly Run[] }
  /** Share of rows that have. */
  | { readonly kind: "compared"; readonly fill: number }
  /** The resident memory that the session and its batches added. */
  | { readonly kind: "memory"; readonly memoryMiB: number }
  /** The model takes no batches of this size. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "closed" }
  | { readonly kind: "failed"; readonly message: string };
