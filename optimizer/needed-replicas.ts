import type { Scope, ScopeStage } from "./scope.ts";

/** Fewest replicas that serve the rows within the objective's utilisation. */
export function neededReplicas(scope: Scope, { othersRps }: ScopeStage, rows: number, rowsPerMs: number): number {
  const { utilisation } = scope.problem.pipeline.objective;
  return Math.ceil((scope.rateRps * rows + othersRps) / (1000 * utilisation * rowsPerMs) - 1e-9);
}
