import type { LoadTrace } from "../../load/load-trace.ts";
import type { Expert } from "../../predictor/expert.ts";
import { LSTM_BASELINE, trainLstmBaseline } from "../../predictor/lstm-baseline.ts";

export interface LstmContestantOptions {
  readonly trace: LoadTrace;
  /** A network each; one serves no other horizon than its own. */
  readonly horizonsSeconds: readonly number[];
  readonly trainToSecond: number;
  readonly validateToSecond: number;
  readonly onProgress: (share: number) => void;
}

/** IPA's network, trained on the begin of a trace. */
export function lstmContestant(options: LstmContestantOptions): Expert {
  const { trace, horizonsSeconds, trainToSecond, validateToSecond, onProgress } = options;
  const trained = new Map(
    horizonsSeconds.map((horizonSeconds, i): [number, Expert] => {
      const steps = trainLstmBaseline({ trace, horizonSeconds, trainToSecond, validateToSecond });
      for (;;) {
        const step = steps.next();
        if (step.done === true) return [horizonSeconds, step.value];
        onProgress((i + step.value) / horizonsSeconds.length);
      }
    }),
  );
  return {
    name: LSTM_BASELINE,
    // A forecaster also predicts horizons that nobody asks for.
    predict: (history, horizonSeconds) => trained.get(horizonSeconds)?.predict(history, horizonSeconds) ?? [0, 0, 0, 0],
  };
}
