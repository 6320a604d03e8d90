import type { LoadHistory } from "./load-history.ts";
import type { Quantiles } from "./quantiles.ts";

/** One way to guess what a target will be. */
export interface Expert {
  readonly name: string;
  /** Quantiles of its target for the next `horizonSeconds`, at the target's levels, in the Anscombe domain; the newest second has a sample. */
  readonly predict: (history: LoadHistory, horizonSeconds: number) => Quantiles;
}

/** An expert that may have nothing to say, which is null, or say it later. */
export interface AskedExpert {
  readonly name: string;
  readonly predict: (...asked: Parameters<Expert["predict"]>) => Quantiles | null;
  /** Gives what it has come to say of a second after it was asked; null: nothing yet. */
  readonly recall?: (second: number, horizonSeconds: number) => Quantiles | null;
}
