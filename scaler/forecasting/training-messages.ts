import type { BackendName } from "../../predictor/network/backend.ts";
import type { HorizonTraining } from "../../predictor/training/train-model.ts";

/** Plain data for the thread that trains. */
export interface TrainingRequest {
  /** Newest ten-second cells, packed. */
  readonly cells: Uint8Array<ArrayBuffer>;
  /** Older cells, for the thread to read; null: there are none. */
  readonly archivePath: string | null;
  readonly nowMs: number;
  /** The model in use, as JSON; null: the bundled one. */
  readonly current: unknown;
  /** Of a core. */
  readonly share: number;
  readonly horizonsSeconds: readonly number[];
  readonly seeds: readonly number[];
  /** For all horizons; null: as many as each needs. */
  readonly epochs: number | null;
}

export type TrainingReply =
  | { readonly kind: "opened"; readonly backend: BackendName; readonly refused: readonly string[] }
  /** Sent now and then while it works. */
  | { readonly kind: "alive" }
  | TrainingResult;

export type TrainingResult =
  | {
      readonly kind: "trained";
      /** As JSON. */
      readonly model: unknown;
      /** Rivals: the bundled model and, where there is one, the current one. */
      readonly horizons: readonly HorizonTraining[];
      readonly busyMs: number;
    }
  | { readonly kind: "tooLittle" }
  | { readonly kind: "failed"; readonly message: string };
