import { VariscaleError } from "../../domain/errors.ts";
import type { Contestant } from "../../predictor/backtest.ts";
import { ALL_EXPERTS } from "../../predictor/experts.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";

/** What the scaler forecasts with. */
const PRODUCTION = "variscale";

export const FORECASTERS: readonly string[] = [PRODUCTION, ...ALL_EXPERTS.map(({ name }) => name)];

/**
 * The forecaster of the scaler, and experts alone: each with the same calibration, so that what is compared are predictions.
 *
 * @throws VariscaleError invalid_argument for a name that there is not.
 */
export function contestantsNamed(names: readonly string[], horizonsSeconds: readonly number[]): readonly Contestant[] {
  return [...new Set(names)].map(name => {
    const expert = ALL_EXPERTS.find(other => other.name === name);
    if (expert === undefined && name !== PRODUCTION)
      throw new VariscaleError(
        "invalid_argument",
        `--forecaster ${name}: there is none of that name; it is one of ${FORECASTERS.join(", ")}`,
      );
    const forecaster = new LoadForecaster(expert === undefined ? {} : { experts: [expert] });
    return { name, horizonsSeconds, forecaster };
  });
}
