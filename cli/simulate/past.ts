import type { LoadTrace } from "../../load/load-trace.ts";
import { cellsOf } from "../../predictor/cells-of.ts";
import type { ForecasterSnapshot } from "../../predictor/forecaster-snapshot.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import type { LoadCell } from "../../predictor/load-history.ts";
import type { ForecastModel } from "../../predictor/network-model.ts";
import { readBundledModel } from "../../scaler/bundled-model.ts";
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

/** `train`: with a network of the pipeline's own, where the scaler would have one by now. */
export async function pastOf(past: LoadTrace, train: boolean): Promise<Past> {
  const { startMs, ratesRps } = past;
  if (ratesRps.length === 0) return NO_PAST;
  const first = Math.max(0, ratesRps.length - REPLAYED_SECONDS);
  const history = cellsOf(past);
  const model = train ? await ownModel(history) : null;
  const older = cellsOf({ startMs, ratesRps: ratesRps.subarray(0, first) });
  const forecaster = LoadForecaster.restore(null, { model: model ?? readBundledModel() }, older);
  for (const [i, rateRps] of ratesRps.subarray(first).entries())
    forecaster.observe({ atMs: startMs + (first + i + 1) * 1000, rateRps });
  return { history, learnt: forecaster.snapshot(), ownModel: model };
}
