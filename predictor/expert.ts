import type { Quantiles } from "./quantiles.ts";
import type { RateHistory } from "./rate-history.ts";

/** One way to guess the highest one-second rate that is to come. */
export interface Expert {
  readonly name: string;
  /** Quantiles of the highest rate within the next `horizonSeconds`, in the Anscombe domain; the newest second has a sample. */
  readonly predict: (history: RateHistory, horizonSeconds: number) => Quantiles;
}
