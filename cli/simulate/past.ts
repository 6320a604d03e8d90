import type { LoadTrace } from "../../load/load-trace.ts";
import { cellsOf } from "../../predictor/cells-of.ts";
import type { ForecasterSnapshot } from "../../predictor/forecaster-snapshot.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import type { LoadCell } from "../../predictor/load-history.ts";
import { InstantNetwork } from "../../predictor/network/network.ts";
import type { ForecastModel } from "../../predictor/network/network-model.ts";
import { openModel } from "../../predictor/network/open-model.ts";
import type { OwnModelSettings } from "../../predictor/training/own-model-settings.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";
import { ownModel } from "./own-model.ts";

/** Of the past, second by second: long enough to know each expert and how often each quantile holds. */
const REPLAYED_SECONDS = 86_400;

/** What a scaler that has seen a load until now knows of it. */
export interface Past {
  readonly history: readonly LoadCell[];
  readonly learnt: ForecasterSnapshot | null;
  /** Null: the bundled one. */
  readonly ownModel: ForecastModel | null;
}

export const NO_PAST: Past = { history: [], learnt: null, ownModel: null };

/** @param training how the pipeline's own network is trained, where the scaler would have one by now; null: the bundled one forecasts. */
export async function pastOf(past: LoadTrace, training: OwnModelSettings | null): Promise<Past> {
  const { startMs, ratesRps } = past;
  if (ratesRps.length === 0) return NO_PAST;
  const first = Math.max(0, ratesRps.length - REPLAYED_SECONDS);
  const history = cellsOf(past);
  const model = training && (await ownModel(history, training));
  const older = cellsOf({ startMs, ratesRps: ratesRps.subarray(0, first) });
  const open = await openModel(model ?? readBundledModel());
  try {
    const forecaster = LoadForecaster.restore(null, { network: new InstantNetwork(open) }, older);
    for (const [i, rateRps] of ratesRps.subarray(first).entries())
      forecaster.observe({ atMs: startMs + (first + i + 1) * 1000, rateRps });
    return { history, learnt: forecaster.snapshot(), ownModel: model };
  } finally {
    open.dispose();
  }
}
