import { replicasOf } from "../domain/configuration.ts";
import { findStage, type Pipeline } from "../domain/pipeline.ts";
import type { Plan } from "../domain/plan.ts";
import type { Choice } from "./fleet-choice.ts";
import type { NodeShape } from "./node-fit.ts";
import type { Prices, Problem } from "./problem.ts";

/** What several pipelines share; null: no limit. */
export interface SharedCapacity {
  readonly cores: number | null;
  readonly memoryMiB: number | null;
  /** Allocatable of the nodes: every replica must find room on one. */
  readonly nodes: readonly NodeShape[] | null;
}

/** A stage of a plan whose replicas are those of another plan's stage, too: they need room once. */
export interface Counted {
  readonly problem: number;
  readonly stage: string;
  /** Of all its replicas together. */
  readonly cores: number;
  readonly memoryMiB: number;
}

export interface FleetPlan {
  /** In the order of the problems. */
  readonly plans: readonly Plan[];
  /** Every plan is feasible and all fit together. */
  readonly feasible: boolean;
  /** Proven best: `gap` is 0. */
  readonly optimal: boolean;
  /** Sum of the plans'. */
  readonly objective: number;
  readonly cores: number;
  readonly memoryMiB: number;
  /**
   * No plans that fit together and serve the same share of every load, or all of it, have a sum that is higher by more than this. A member
   * whose load provenly no plan serves, whatever the others do, is given its least bad plan, which is not compared with others.
   */
  readonly gap: number;
  /** What one core, one MiB more would be worth. */
  readonly prices: Prices;
  /** Share of each pipeline's load that is planned for; below 1 where no plans for all of it were found that fit. */
  readonly servedShare: number;
}

/** What a search for plans that fit together gives. */
export interface FleetResult {
  /** Null: none were found. */
  readonly fleet: FleetPlan | null;
  /** Members whose load no plan serves. */
  readonly hopeless: ReadonlySet<number>;
  /** No plans that fit have a higher sum, `hopeless` left out. */
  readonly bound: number;
}

/** The plan is proven to be for a load that no plan serves. */
export function isHopeless({ feasible, reasons }: Plan): boolean {
  return !feasible && !reasons.includes("unproven");
}

export function choiceOf({ pipeline }: Problem, plan: Plan): Choice {
  const memoryMiB = sum(plan.stages.map(stage => replicasOf(stage) * memoryOf(pipeline, stage.stage)));
  return { plan, cores: plan.cores, memoryMiB };
}

/** MiB of one replica. */
export function memoryOf(pipeline: Pipeline | undefined, stage: string): number {
  return (pipeline && findStage(pipeline, stage)?.memoryMiB) ?? 0;
}

/** `bound`, `hopeless`: as in FleetResult. */
export function fleetOf(
  choices: readonly Choice[],
  bound: number,
  hopeless: ReadonlySet<number>,
  prices: Prices,
): FleetPlan {
  const plans = choices.map(({ plan }) => plan);
  const fleet = {
    plans,
    feasible: plans.every(({ feasible }) => feasible),
    objective: sum(plans.map(({ objective }) => objective)),
    cores: sum(choices.map(choice => choice.cores)),
    memoryMiB: sum(choices.map(choice => choice.memoryMiB)),
    prices,
    servedShare: 1,
  };
  return withGap(fleet, bound - worthOf(plans, hopeless));
}

export function withGap<T extends Omit<FleetPlan, "gap" | "optimal">>(
  fleet: T,
  gap: number,
): T & Pick<FleetPlan, "gap" | "optimal"> {
  return { ...fleet, gap: Math.max(0, gap), optimal: !(gap > 0) };
}

/** Sum of the objectives of those that can be served. */
export function worthOf(plans: readonly Plan[], hopeless: ReadonlySet<number>): number {
  return sum(plans.filter((_, p) => !hopeless.has(p)).map(({ objective }) => objective));
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
