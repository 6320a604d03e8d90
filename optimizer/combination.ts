import type { Scope } from "./scope.ts";
import type { Candidate, SearchState } from "./search-state.ts";
import type { OptionList } from "./stage-options.ts";
import { exceededBy, type Totals } from "./totals.ts";

/** Variants of every stage whose batches and replicas are to be chosen. */
export interface Combination extends Pick<Candidate, "variants" | "accuracy"> {
  /** What changing variants takes from the objective. */
  readonly switchPrice: number;
  readonly lists: readonly OptionList[];
}

/** The first constraint that a choice breaks, given its chance to be within the SLO; null: none. */
export function brokenBy(scope: Scope, state: SearchState, within: number, totals: Totals) {
  const isLate = state.slo === "hard" && within < scope.problem.pipeline.slo.quantile;
  return exceededBy(scope, totals) ?? (isLate ? "slo" : null);
}
