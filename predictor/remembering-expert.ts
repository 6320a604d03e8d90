import type { AskedExpert } from "./expert.ts";
import type { Quantiles } from "./quantiles.ts";

/**
 * An expert that several forecasters share which are fed the same samples in step, as in a backtest: what it predicted for a second and a
 * horizon is not predicted again.
 */
export function rememberingExpert(expert: AskedExpert): AskedExpert {
  const remembered = new Map<number, { readonly second: number; readonly prediction: Quantiles | null }>();
  return {
    name: expert.name,
    predict: (history, horizonSeconds) => {
      const before = remembered.get(horizonSeconds);
      if (before?.second === history.second) return before.prediction;
      const prediction = expert.predict(history, horizonSeconds);
      remembered.set(horizonSeconds, { second: history.second, prediction });
      return prediction;
    },
  };
}
