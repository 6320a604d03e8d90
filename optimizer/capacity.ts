import type { Binding } from "../domain/plan.ts";
import { fanOutAt, type Scope, type ScopeStage, type ScopeVariant } from "./scope.ts";

/** The most that can be served, and what stops more; `none` when it is all. */
export interface Capacity {
  readonly rateRps: number;
  readonly limit: Binding;
}

interface Choice {
  readonly stage: ScopeStage;
  /** Rows of one request at this stage. */
  readonly rows: number;
  /** Rows per ms of one replica. */
  readonly capacity: number;
}

/** Combinations looked at; what is found after that many is a lower bound. */
const BUDGET = 5_000;

/** Highest entry rate, up to the scope's, for which some choice of variants and batches stays within replicas, cores and cost. */
export function mostServable(scope: Scope): Capacity {
  let best: Capacity | null = null;
  let left = BUDGET;
  const visit = (choices: readonly Choice[], upstream: string | null, rows: number): void => {
    const index = choices.length;
    const stage = scope.stages[index];
    if (left-- <= 0 || best?.limit === "none") return;
    if (!stage) {
      const capacity = servable(scope, choices);
      if (!best || capacity.rateRps > best.rateRps) best = capacity;
      return;
    }
    const rowsHere = rows * fanOutAt(scope, index, upstream);
    for (const variant of strongest(scope, stage, index)) {
      visit([...choices, { stage, rows: rowsHere, capacity: variant.capacity }], variant.name, rowsHere);
    }
  };
  visit([], null, 1);
  return best ?? { rateRps: 0, limit: "utilisation" };
}

/** Variants that no other variant beats both in speed and in how few rows it makes for the next stage; fastest first. */
function strongest(scope: Scope, stage: ScopeStage, index: number): ScopeVariant[] {
  const kept: ScopeVariant[] = [];
  let fewest = Number.POSITIVE_INFINITY;
  for (const variant of stage.variants.toSorted((a, b) => b.capacity - a.capacity)) {
    const rows = fanOutAt(scope, index + 1, variant.name);
    if (rows < fewest) kept.push(variant);
    fewest = Math.min(fewest, rows);
  }
  return kept;
}

function servable(scope: Scope, choices: readonly Choice[]): Capacity {
  const { pipeline, limits } = scope.problem;
  const { utilisation } = pipeline.objective;
  let capacity: Capacity = { rateRps: scope.rateRps, limit: "none" };
  const cap = (rateRps: number, limit: Binding): void => {
    if (rateRps < capacity.rateRps) capacity = { rateRps, limit };
  };
  let workMs = pipeline.overhead.cpuMs;
  for (const { stage, rows, capacity: speed } of choices) {
    const replicas = stage.pinnedReplicas ?? stage.maxReplicas;
    if (rows > 0) cap((1000 * utilisation * replicas * speed) / rows, "maxReplicas");
    workMs += (rows * stage.stage.cores) / speed;
  }
  if (limits.machineCores !== null && workMs > 0)
    cap((1000 * utilisation * limits.machineCores) / workMs, "utilisation");
  const cores = (stage: ScopeStage) => stage.stage.cores;
  const cost = (stage: ScopeStage) => stage.stage.costPerHour ?? 0;
  cap(within(scope, choices, capacity.rateRps, cores, scope.maxCores), "cores");
  cap(within(scope, choices, capacity.rateRps, cost, scope.maxCostPerHour), "cost");
  return capacity;
}

/** Highest rate up to `mostRps` at which Σ replicas · price stays within a limit; the least replicas are always allowed. */
function within(
  scope: Scope,
  choices: readonly Choice[],
  mostRps: number,
  price: (stage: ScopeStage) => number,
  limit: number,
): number {
  const { utilisation } = scope.problem.pipeline.objective;
  const total = (rateRps: number) =>
    choices.reduce((sum, { stage, rows, capacity }) => {
      const needed = Math.ceil((rateRps * rows) / (1000 * utilisation * capacity) - 1e-9);
      return sum + price(stage) * (stage.pinnedReplicas ?? Math.max(stage.minReplicas, needed));
    }, 0);
  const allowed = Math.max(limit, total(0));
  if (total(mostRps) <= allowed) return mostRps;
  let low = 0;
  let high = mostRps;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (total(middle) <= allowed) low = middle;
    else high = middle;
  }
  return low;
}

/** Cores and cost that the fewest replicas of all stages take: a limit below them can't be kept. */
export function fewestReplicasTake(scope: Scope): { readonly cores: number; readonly costPerHour: number } {
  let cores = 0;
  let costPerHour = 0;
  for (const { stage, minReplicas, pinnedReplicas } of scope.stages) {
    const replicas = pinnedReplicas ?? minReplicas;
    cores += replicas * stage.cores;
    costPerHour += replicas * (stage.costPerHour ?? 0);
  }
  return { cores, costPerHour };
}
