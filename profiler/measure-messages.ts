import type { Row } from "../gateway/stage.ts";
import type { ModelSource } from "./model-session.ts";
import type { Run } from "./service-time.ts";

/** What a measuring process is asked, one request at a time. */
export type MeasureRequest =
  | { readonly kind: "open"; readonly source: ModelSource; readonly rows: readonly Row[] }
  | { readonly kind: "run"; readonly batch: number; readonly windowMs: number };

export type MeasureReply =
  /** From the file to a warm session, and the resident memory that this added. */
  | { readonly kind: "opened"; readonly loadMs: number; readonly memoryMiB: number }
  | { readonly kind: "ran"; readonly runs: readonly Run[] }
  | { readonly kind: "failed"; readonly message: string };
