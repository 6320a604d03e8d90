import type { Binding } from "../domain/plan.ts";
import { fanOutAt, rowsAt, type Scope, type ScopeStage } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { SLACK } from "./totals.ts";

interface Served {
  readonly rateRps: number;
  readonly limit: Binding;
}

/** The most that can be served, and what stops more; `none` when it is all. */
export interface Capacity extends Served {
  /** False: not all choices were looked at, and more may be served. */
  readonly isProven: boolean;
}

interface Choice {
  readonly stage: ScopeStage;
  readonly variant: ScopeVariant;
  /** Rows of one request at this stage. */
  readonly rows: number;
}

/** Combinations looked at; what is found after that many is a lower bound. */
const BUDGET = 5_000;

/** Highest entry rate, up to the scope's, for which some choice of variants and batches stays within replicas, cores and cost. */
export function mostServable(scope: Scope): Capacity {
  let best: Served = { rateRps: -1, limit: "utilisation" };
  let left = BUDGET;
  const visit = (choices: readonly Choice[]): void => {
    const index = choices.length;
    const stage = scope.stages[index];
    if (left-- <= 0 || best.limit === "none") return;
    if (!stage) {
      const capacity = servable(scope, choices);
      if (capacity.rateRps > best.rateRps) best = capacity;
      return;
    }
    const rows = rowsAt(
      scope,
      index,
      choices.map(choice => choice.rows),
      choices.map(choice => choice.variant.name),
    );
    for (const variant of strongest(scope, stage, index)) visit([...choices, { stage, variant, rows }]);
  };
  visit([]);
  // Of variants that share the rows, whole replicas may fill what is left of the cores.
  const isSplit = scope.stages.some(({ variants }) => variants.some(isShared));
  return { ...best, rateRps: Math.max(0, best.rateRps), isProven: best.limit === "none" || (left >= 0 && !isSplit) };
}

function isShared({ members }: ScopeVariant): boolean {
  return members.some(({ share }) => share < 1);
}

/** Variants that no other variant beats in speed, in cores and in how few rows it makes for other stages; fastest first. */
function strongest(scope: Scope, stage: ScopeStage, index: number): ScopeVariant[] {
  const downstream = scope.stages.flatMap(({ upstream }, s) => (upstream === index ? [s] : []));
  const rows = new Map(
    stage.variants.map(({ name }) => [name, downstream.map(next => fanOutAt(scope, next, name))] as const),
  );
  const beats = (a: ScopeVariant, b: ScopeVariant) =>
    a.capacity >= b.capacity &&
    a.cores <= b.cores &&
    (rows.get(a.name) ?? []).every((count, i) => count <= (rows.get(b.name)?.[i] ?? 0));
  const kept: ScopeVariant[] = [];
  for (const variant of stage.variants
    .filter(({ members }) => members.length === 0)
    .toSorted((a, b) => b.capacity - a.capacity))
    if (!kept.some(other => beats(other, variant))) kept.push(variant);
  return kept;
}

function servable(scope: Scope, choices: readonly Choice[]): Served {
  const { pipeline, limits } = scope.problem;
  const { utilisation } = pipeline.objective;
  let capacity: Served = { rateRps: scope.rateRps, limit: "none" };
  const cap = (rateRps: number, limit: Binding): void => {
    if (rateRps < capacity.rateRps) capacity = { rateRps, limit };
  };
  let workMs = pipeline.overhead.cpuMs;
  for (const { stage, rows, variant } of choices) {
    const replicas = stage.pinnedReplicas ?? stage.maxReplicas;
    if (rows > 0)
      cap(Math.max(0, 1000 * utilisation * replicas * variant.capacity - stage.othersRps) / rows, "maxReplicas");
    workMs += (rows * variant.cores) / variant.capacity;
  }
  if (limits.machineCores !== null && workMs > 0)
    cap((1000 * utilisation * limits.machineCores) / workMs, "utilisation");
  const fewest = fewestReplicasTake(scope);
  const cores = ({ variant }: Choice) => variant.cores;
  const cost = ({ stage }: Choice) => stage.stage.costPerHour ?? 0;
  const maxCores = Math.max(scope.maxCores, fewest.cores);
  const maxCostPerHour = Math.max(scope.maxCostPerHour, fewest.costPerHour);
  cap(within(scope, choices, capacity.rateRps, cores, maxCores), "cores");
  cap(within(scope, choices, capacity.rateRps, cost, maxCostPerHour), "cost");
  return capacity;
}

/** Highest rate up to `mostRps` at which Σ replicas · price stays within a limit. */
function within(
  scope: Scope,
  choices: readonly Choice[],
  mostRps: number,
  price: (choice: Choice) => number,
  limit: number,
): number {
  const { utilisation } = scope.problem.pipeline.objective;
  const total = (rateRps: number) =>
    choices.reduce((sum, choice) => {
      const { stage, rows, variant } = choice;
      const needed = Math.ceil((rateRps * rows + stage.othersRps) / (1000 * utilisation * variant.capacity) - 1e-9);
      return sum + price(choice) * (stage.pinnedReplicas ?? Math.max(stage.minReplicas, needed));
    }, 0);
  const allowed = limit + SLACK;
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
  for (const { stage, variants, minReplicas, pinnedReplicas } of scope.stages) {
    const replicas = pinnedReplicas ?? minReplicas;
    cores += replicas * Math.min(...variants.map(variant => variant.cores));
    costPerHour += replicas * (stage.costPerHour ?? 0);
  }
  return { cores, costPerHour };
}
