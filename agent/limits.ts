import { QUANTILES } from "../domain/load.ts";

/** What an agent may set, chosen by the user. Constraints of the pipeline file are not among it: those always hold. */
export interface AgentLimits {
  /** Weights stay within this factor of the user's, both ways. */
  readonly weightFactor: number;
  /** A lower quantile means plans that hold less often. One of QUANTILES. */
  readonly leastQuantile: number;
}

export const DEFAULT_LIMITS: AgentLimits = {
  weightFactor: 10,
  /** What plans are made for without an agent. */
  leastQuantile: 0.95,
};

export function allowedQuantiles({ leastQuantile }: AgentLimits): readonly number[] {
  return QUANTILES.filter(quantile => quantile >= leastQuantile);
}
