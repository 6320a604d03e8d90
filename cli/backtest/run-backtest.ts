import { type Backtest, type BacktestOptions, backtest } from "../../predictor/backtest.ts";

/** Runs a backtest to its end and tells the share that is done. */
export function runBacktest(options: BacktestOptions, onProgress: (share: number) => void): Backtest {
  const steps = backtest(options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    onProgress(step.value);
  }
}
