import type { LoadCell } from "../load-history.ts";
import { openBackend } from "../network/backend.ts";
import type { ForecastModel } from "../network/network-model.ts";
import { HORIZONS_SECONDS } from "../target-forecaster.ts";
import { OWN_MODEL, type OwnModelSettings } from "./own-model-settings.ts";
import { type ModelTraining, trainModel } from "./train-model.ts";

/** The network that the scaler would train on this load, at once and without sharing the processor. Null: there is too little. */
export async function trainOwnModel(
  cells: readonly LoadCell[],
  rivals: readonly ForecastModel[],
  { features, seeds, epochs }: OwnModelSettings = OWN_MODEL,
): Promise<ModelTraining | null> {
  const onBatch = () => null;
  return await trainModel(await openBackend(), cells, {
    features,
    horizonsSeconds: HORIZONS_SECONDS,
    seeds,
    ...(epochs !== undefined && { epochs }),
    rivals,
    onBatch,
  });
}
