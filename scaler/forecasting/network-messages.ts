import type { BackendName } from "../../predictor/network/backend.ts";
import type { ForecastModel } from "../../predictor/network/network-model.ts";

/** The rows for one horizon of all pipelines that forecast with one model. */
export interface NetworkBatch {
  readonly model: number;
  /** The place of the horizon in the model. */
  readonly horizon: number;
  readonly inputs: Float32Array<ArrayBuffer>;
}

/** Plain data for the thread that computes networks. */
export interface NetworkRequest {
  /** Those that it does not know yet. */
  readonly models: readonly { readonly id: number; readonly model: ForecastModel }[];
  /** Those that no pipeline forecasts with any more. */
  readonly forgotten: readonly number[];
  readonly batches: readonly NetworkBatch[];
}

export type NetworkReply =
  | { readonly kind: "opened"; readonly backend: BackendName; readonly refused: readonly string[] }
  /** For each batch what comes of its rows; a text says why nothing does. */
  | { readonly kind: "predicted"; readonly outputs: readonly (Float32Array | string)[] }
  | { readonly kind: "failed"; readonly message: string };
