import { neededReplicas } from "./needed-replicas.ts";
import { fanOutAt, replicasPrice, type Scope, type ScopeStage } from "./scope.ts";
import { sumsFromEnd, type Totals } from "./totals.ts";

/** Fewest replicas of a stage whose variants serve at most `capacity` rows per ms with one. */
export function leastReplicas(scope: Scope, stage: ScopeStage, rows: number, capacity: number): number {
  return stage.pinnedReplicas ?? Math.max(stage.minReplicas, neededReplicas(scope, stage, rows, capacity));
}

/** Entry i is the least that the stages from i on take, whatever their variants, with the fewest rows that any variants before them give. */
export function leastFrom(scope: Scope): Totals[] {
  const { weights } = scope.problem.pipeline.objective;
  const rows = fewestRows(scope);
  return sumsFromEnd(
    scope.stages.map((stage, index) => {
      const rowsHere = rows[index] ?? 0;
      const batch = Math.min(...stage.variants.flatMap(variant => variant.batches));
      const replicas = stage.variants.map(variant => leastReplicas(scope, stage, rowsHere, variant.capacity));
      const cores = Math.min(...stage.variants.map((variant, v) => (replicas[v] ?? 0) * variant.cores));
      const workOfRow = Math.min(...stage.variants.map(variant => variant.cores / variant.capacity));
      return {
        cores,
        costPerHour: Math.min(...replicas) * (stage.stage.costPerHour ?? 0),
        workCores: (scope.rateRps / 1000) * rowsHere * workOfRow,
        price:
          Math.min(...stage.variants.map((variant, v) => replicasPrice(scope, stage, variant, replicas[v] ?? 0))) +
          weights.batch * batch,
        constantMs: 0,
      };
    }),
  );
}

function fewestRows(scope: Scope): number[] {
  const fewest: number[] = [];
  for (const [index, { upstream }] of scope.stages.entries()) {
    const names = scope.stages[upstream]?.variants.map(variant => variant.name) ?? [null];
    const fanOut = Math.min(...names.map(name => fanOutAt(scope, index, name)));
    fewest.push(Math.min(1e12, (upstream < 0 ? 1 : (fewest[upstream] ?? 0)) * fanOut));
  }
  return fewest;
}
