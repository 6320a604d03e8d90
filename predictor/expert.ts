import type { LoadHistory } from "./load-history.ts";
import type { Quantiles } from "./quantiles.ts";

/** One way to guess the highest one-second rate that is to come. */
export interface Expert {
  readonly name: string;
  /** Quantiles of the highest rate within the next `horizonSeconds`, in the Anscombe domain; the newest second has a sample. */
  readonly predict: (history: LoadHistory, horizonSeconds: number) => Quantiles;
}
