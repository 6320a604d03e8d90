import { type Scope, workLimit } from "./scope.ts";

/** What options of some stages take together. */
export interface Totals {
  readonly cores: number;
  readonly costPerHour: number;
  /** Cores that are busy when every batch is full. */
  readonly workCores: number;
  /** What it takes from the objective. */
  readonly price: number;
  /** Latency below which no request gets through. */
  readonly constantMs: number;
}

export const NOTHING: Totals = { cores: 0, costPerHour: 0, workCores: 0, price: 0, constantMs: 0 };

export function plus(a: Totals, b: Totals): Totals {
  return {
    cores: a.cores + b.cores,
    costPerHour: a.costPerHour + b.costPerHour,
    workCores: a.workCores + b.workCores,
    price: a.price + b.price,
    constantMs: a.constantMs + b.constantMs,
  };
}

/** Entry i is the sum from i on; one entry more than there are stages. */
export function sumsFromEnd(stages: readonly Totals[]): Totals[] {
  const sums = [NOTHING];
  for (const stage of stages.toReversed()) sums.push(plus(stage, sums.at(-1) ?? NOTHING));
  return sums.reverse();
}

/** Sums are compared with this much room for rounding. */
export const SLACK = 1e-9;

/** The first limit on resources that is exceeded; null: none. */
export function exceededBy(scope: Scope, totals: Totals): "cores" | "cost" | "utilisation" | null {
  if (totals.cores > scope.maxCores + SLACK) return "cores";
  if (totals.costPerHour > scope.maxCostPerHour + SLACK) return "cost";
  if (totals.workCores > workLimit(scope) + SLACK) return "utilisation";
  return null;
}
