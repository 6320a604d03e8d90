import type { Row } from "../gateway/stage.ts";

/** A variant's session. One of a file runs on the thread that calls it. */
export interface ModelSession {
  /** Puts rows together into one batch, to be run again and again. */
  prepared(rows: readonly Row[]): () => Promise<unknown>;
  /** One output per row, in their order, run in batches of at most `batch` rows. */
  infer(rows: readonly Row[], batch: number): Promise<readonly Row[]>;
  close(): Promise<void>;
}
