import { chooseModel } from "../../predictor/choose-model.ts";
import { HORIZONS_SECONDS } from "../../predictor/load-forecaster.ts";
import type { LoadCell } from "../../predictor/load-history.ts";
import type { ForecastModel } from "../../predictor/network-model.ts";
import { readBundledModel } from "../../scaler/bundled-model.ts";

/** The scaler trains after a day of ten-second cells, and with these seeds. */
const LEAST_CELLS = 8640;
const SEEDS = [1, 2, 3];

/**
 * The network that the scaler would have trained on a pipeline's load by now. Null: it would go on with the bundled one, for there is less than
 * a day of load, or because the bundled one does better on what was held out.
 */
export async function ownModel(history: readonly LoadCell[]): Promise<ForecastModel | null> {
  if (history.length < LEAST_CELLS) return null;
  const { openBackend } = await import("../../predictor/train-network.ts");
  const { trainModel } = await import("../../predictor/train-model.ts");
  const trained = await trainModel(await openBackend(), history, {
    features: "seasonal",
    horizonsSeconds: HORIZONS_SECONDS,
    seeds: SEEDS,
    rivals: [readBundledModel()],
    onBatch: () => null,
  });
  return trained && chooseModel(trained.horizons) === "new" ? trained.model : null;
}
