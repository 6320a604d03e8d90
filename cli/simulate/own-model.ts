import { chooseModel } from "../../predictor/choose-model.ts";
import type { LoadCell } from "../../predictor/load-history.ts";
import type { ForecastModel } from "../../predictor/network/network-model.ts";
import type { OwnModelSettings } from "../../predictor/training/own-model-settings.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";

const CELL_SECONDS = 10;

/**
 * The network that the scaler would have trained on a pipeline's load by now. Null: it would go on with the bundled one, for there is less than
 * a day of load, or because the bundled one does better on what was held out.
 */
export async function ownModel(
  history: readonly LoadCell[],
  settings: OwnModelSettings,
): Promise<ForecastModel | null> {
  if (history.length * CELL_SECONDS < settings.leastSeconds) return null;
  const { trainOwnModel } = await import("../../predictor/training/train-own-model.ts");
  const trained = await trainOwnModel(history, [readBundledModel()], settings);
  return trained && chooseModel(trained.horizons) === "new" ? trained.model : null;
}
