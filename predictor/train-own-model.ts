import { HORIZONS_SECONDS } from "./load-forecaster.ts";
import type { LoadCell } from "./load-history.ts";
import type { ForecastModel } from "./network-model.ts";
import { OWN_MODEL } from "./own-model-settings.ts";
import { type ModelTraining, trainModel } from "./train-model.ts";
import { openBackend } from "./train-network.ts";

/** The network that the scaler would train on this load, at once and without sharing the processor. Null: there is too little. */
export async function trainOwnModel(
  cells: readonly LoadCell[],
  rivals: readonly ForecastModel[],
): Promise<ModelTraining | null> {
  const { features, seeds } = OWN_MODEL;
  const onBatch = () => null;
  return await trainModel(await openBackend(), cells, {
    features,
    horizonsSeconds: HORIZONS_SECONDS,
    seeds,
    rivals,
    onBatch,
  });
}
