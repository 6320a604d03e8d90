import { VariscaleError } from "../../domain/errors.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import type { Contestant } from "../../predictor/backtest.ts";
import type { Expert } from "../../predictor/expert.ts";
import { ALL_EXPERTS, EXPERTS } from "../../predictor/experts.ts";
import { LoadForecaster, servingHorizonSeconds } from "../../predictor/load-forecaster.ts";
import { LSTM_BASELINE } from "../../predictor/lstm-baseline.ts";
import { rememberingExpert } from "../../predictor/remembering-expert.ts";
import { lstmContestant } from "./lstm-contestant.ts";

/** What the scaler forecasts with. */
const PRODUCTION = "variscale";
/** Of what lies before the split, the rest decides when training has been enough. */
const TRAINING_SHARE = 6 / 7;

/** Who takes part when nobody is named. */
export const USUAL_FORECASTERS: readonly string[] = [PRODUCTION, ...ALL_EXPERTS.map(({ name }) => name)];
const FORECASTERS = [...USUAL_FORECASTERS, LSTM_BASELINE];

export interface ContestantOptions {
  readonly names: readonly string[];
  readonly horizonsSeconds: readonly number[];
  readonly trace: LoadTrace;
  /** What is trained is trained on the seconds before it. */
  readonly testFromSecond: number;
  readonly onTraining: (name: string, share: number) => void;
}

/** @throws VariscaleError invalid_argument for a name that there is not. */
export function checkForecasters(names: readonly string[]): void {
  for (const name of names)
    if (!FORECASTERS.includes(name))
      throw new VariscaleError(
        "invalid_argument",
        `--forecaster ${name}: there is none of that name; it is one of ${FORECASTERS.join(", ")}`,
      );
}

/** The forecaster of the scaler, and experts alone: each with the same calibration, so that what is compared are predictions. */
export function contestantsOf(options: ContestantOptions): readonly Contestant[] {
  const { names, horizonsSeconds } = options;
  const shared = new Map(ALL_EXPERTS.map(expert => [expert.name, rememberingExpert(expert)]));
  const sharedOf = (experts: readonly Expert[]): Expert[] => experts.map(expert => shared.get(expert.name) ?? expert);
  return [...new Set(names)].map(name => {
    const expert = name === LSTM_BASELINE ? baselineOf(options) : shared.get(name);
    return {
      name,
      horizonsSeconds,
      forecaster: new LoadForecaster({ experts: expert ? [expert] : sharedOf(EXPERTS) }),
    };
  });
}

function baselineOf({ trace, testFromSecond, horizonsSeconds, onTraining }: ContestantOptions): Expert {
  const trainToSecond = Math.floor(TRAINING_SHARE * testFromSecond);
  return lstmContestant({
    trace,
    horizonsSeconds: [...new Set(horizonsSeconds.map(servingHorizonSeconds))],
    trainToSecond,
    validateToSecond: testFromSecond,
    onProgress: share => onTraining(LSTM_BASELINE, share),
  });
}
