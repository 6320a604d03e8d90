import { chooseModel } from "../../predictor/choose-model.ts";
import type { LoadCell } from "../../predictor/load-history.ts";
import type { ForecastModel } from "../../predictor/network-model.ts";
import { OWN_MODEL } from "../../predictor/own-model-settings.ts";
import { readBundledModel } from "../../scaler/bundled-model.ts";

const CELL_SECONDS = 10;

/**
 * The network that the scaler would have trained on a pipeline's load by now. Null: it would go on with the bundled one, for there is less than
 * a day of load, or because the bundled one does better on what was held out.
 */
export async function ownModel(history: readonly LoadCell[]): Promise<ForecastModel | null> {
  if (history.length * CELL_SECONDS < OWN_MODEL.leastSeconds) return null;
  const { trainOwnModel } = await import("../../predictor/train-own-model.ts");
  const trained = await trainOwnModel(history, [readBundledModel()]);
  return trained && chooseModel(trained.horizons) === "new" ? trained.model : null;
}
