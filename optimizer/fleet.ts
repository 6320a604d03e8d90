import { replicasOf } from "../domain/configuration.ts";
import { findStage, type Pipeline } from "../domain/pipeline.ts";
import type { Plan } from "../domain/plan.ts";
import { type Choice, chooseWithin, type Most } from "./fleet-choice.ts";
import { type NodeShape, placePods } from "./node-fit.ts";
import { optimize } from "./optimize.ts";
import type { Prices, Problem } from "./problem.ts";
import { mostServed, shedPlan } from "./shed-plan.ts";

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
  /** Sum of the plans'. */
  readonly objective: number;
  readonly cores: number;
  readonly memoryMiB: number;
  /**
   * No plans that fit together and serve the same share of every load have a sum that is higher by more than this. A member whose load no
   * plan serves, whatever the others do, is given its least bad plan, which is not compared with others.
   */
  readonly gap: number;
  /** What one core, one MiB more would be worth. */
  readonly prices: Prices;
  /** Share of each pipeline's load that is planned for; below 1 where not even the cheapest plans fit. */
  readonly servedShare: number;
}

/** Prices that are tried. */
const ROUNDS = 20;
/** At prices of so many times what everything is worth every pipeline takes its cheapest plan. */
const PROHIBITIVE = 1e6;
/** A gap that is this share of the objective is not worth another round. */
const CLOSE = 3e-4;
const NEARBY = [0.8, 1.25, 0.6];
const NODE_ROUNDS = 6;
/** Sums are compared with this much room. */
const SLACK = 1e-9;

/**
 * Plans for pipelines that share capacity: every pipeline pays for cores and memory, and the prices rise until what they take fits
 * (Lagrangian decomposition: the plans at given prices are independent of one another, and what they are worth less what they pay,
 * plus the capacity's price, bounds every other choice). Of all plans that were seen so far the best ones that fit are chosen, which
 * gives the next prices, until the bound is close.
 */
export function optimizeFleet(problems: readonly Problem[], capacity: SharedCapacity): FleetPlan {
  const at = (share: number) => problems.map(problem => ({ ...problem, rateRps: problem.rateRps * share }));
  const full = fleetWithin(problems, capacity);
  if (full) return full;
  // Not even the cheapest plans fit: the same share of every load is served.
  const most = mostServed(share => fleetWithin(at(share), capacity));
  return shedding(problems, most?.plan ?? unfit(problems), most?.share ?? 0, capacity);
}

function shedding(problems: readonly Problem[], fleet: FleetPlan, share: number, capacity: SharedCapacity): FleetPlan {
  const plans = fleet.plans.map((plan, p) => shedPlan(problems[p], plan, share, limitOf(capacity)));
  const objective = sum(plans.map(plan => plan.objective));
  const gap = Math.max(0, fleet.objective + fleet.gap - objective);
  return { ...fleet, plans, feasible: false, objective, gap, servedShare: share };
}

/** What forbids more; null: memory, which a plan has no word for. */
export function limitOf({ cores, nodes }: SharedCapacity): "cores" | null {
  return cores !== null || nodes !== null ? "cores" : null;
}

/** Nothing is served, and what is there all the same does not fit. */
function unfit(problems: readonly Problem[]): FleetPlan {
  const most = sum(problems.map(({ pipeline }) => pipeline.objective.weights.accuracy));
  return fleetOf(
    problems.map(problem => choiceOf(problem, optimize({ ...problem, rateRps: 0, runnerUp: false }))),
    most,
    FREE,
  );
}

const FREE: Prices = { core: 0, memoryMiB: 0 };

/**
 * Plans for all loads that fit together; null: none were found.
 *
 * @param known counted: what the plans' sums of cores and memory have once too often; free: the best plans without limits.
 */
export function fleetWithin(
  problems: readonly Problem[],
  capacity: SharedCapacity,
  known: { readonly counted?: readonly Counted[]; readonly free?: readonly Plan[] } = {},
): FleetPlan | null {
  const { nodes } = capacity;
  const { counted = [], free } = known;
  const coresAgain = sum(counted.map(({ cores }) => cores));
  const memoryAgain = sum(counted.map(({ memoryMiB }) => memoryMiB));
  const ofNodes = (what: keyof NodeShape) => (nodes ? sum(nodes.map(node => node[what])) : Infinity);
  let cores = coresAgain + Math.min(mostOf(capacity.cores), ofNodes("cores"));
  let memoryMiB = memoryAgain + Math.min(mostOf(capacity.memoryMiB), ofNodes("memoryMiB"));
  if (!nodes) return withinTotals(problems, orNull(cores), orNull(memoryMiB), free);
  let bound: number | null = null;
  for (let round = 0; round < NODE_ROUNDS; round++) {
    const plan = withinTotals(problems, Math.max(0, cores), Math.max(0, memoryMiB), free);
    if (!plan) return null;
    const served = sum(plan.plans.filter(({ feasible }) => feasible).map(({ objective }) => objective));
    bound ??= served + plan.gap;
    const left = placePods(podsOf(problems, plan.plans, counted), nodes);
    if (left.length === 0) return { ...plan, gap: Math.max(0, bound - served) };
    // What found no room is taken off what may be used.
    cores = Math.min(cores, plan.cores) - sum(left.map(pod => pod.cores));
    memoryMiB = Math.min(memoryMiB, plan.memoryMiB);
  }
  return null;
}

/** What is no number is nothing. */
function mostOf(limit: number | null): number {
  return limit === null ? Number.POSITIVE_INFINITY : limit || 0;
}

function orNull(capacity: number): number | null {
  return Number.isFinite(capacity) ? capacity : null;
}

function podsOf(problems: readonly Problem[], plans: readonly Plan[], counted: readonly Counted[]): NodeShape[] {
  return plans.flatMap((plan, p) =>
    plan.stages.flatMap(stage => {
      if (counted.some(other => other.problem === p && other.stage === stage.stage)) return [];
      const replicas = replicasOf(stage);
      const memoryMiB = memoryOf(problems[p]?.pipeline, stage.stage);
      return Array.from({ length: replicas }, () => ({ cores: stage.cores / replicas, memoryMiB }));
    }),
  );
}

function memoryOf(pipeline: Pipeline | undefined, stage: string): number {
  return (pipeline && findStage(pipeline, stage)?.memoryMiB) ?? 0;
}

interface Priced {
  readonly prices: Prices;
  readonly choices: readonly Choice[];
  readonly fits: boolean;
  /** No plans that fit are worth more together. */
  readonly bound: number;
}

/** Null: not even the cheapest plans fit. */
function withinTotals(
  problems: readonly Problem[],
  cores: number | null,
  memoryMiB: number | null,
  freePlans: readonly Plan[] | undefined,
): FleetPlan | null {
  const most: Most = { cores: cores ?? Infinity, memoryMiB: memoryMiB ?? Infinity };
  const seen: Choice[][] = problems.map(() => []);
  const evaluated: Priced[] = [];
  /** Of members that no plan serves: the least bad plan that takes the least. */
  const given: (Choice | undefined)[] = [];
  const at = (prices: Prices): Priced => {
    const choices = problems.map((problem, p) => {
      const known = given[p] ?? sandwiched(evaluated, prices, p);
      const free = prices === FREE ? freePlans?.[p] : undefined;
      const choice = known ?? choiceOf(problem, free ?? optimize({ ...problem, prices, runnerUp: false }));
      if (!known) seen[p]?.push(choice);
      return choice;
    });
    const result = { prices, choices, fits: fits(choices, most), bound: boundOf(choices, prices, most) };
    evaluated.push(result);
    return result;
  };
  const free = at(FREE);
  if (free.fits) return fleetOf(free.choices, free.bound, FREE);
  // Both prices move together: all of each capacity costs the same.
  const priceAt = (level: number): Prices => ({
    core: cores === null ? 0 : level / Math.max(1e-9, cores),
    memoryMiB: memoryMiB === null ? 0 : level / Math.max(1e-9, memoryMiB),
  });
  const prohibitive = PROHIBITIVE * Math.max(1, Math.abs(free.bound));
  const dear = at(priceAt(prohibitive));
  if (!dear.fits) {
    // What takes the least of both may still be more than there is of one.
    const both = priceAt(prohibitive);
    for (const prices of [
      { ...both, core: 0 },
      { ...both, memoryMiB: 0 },
    ])
      for (const [p, problem] of problems.entries())
        seen[p]?.push(choiceOf(problem, optimize({ ...problem, prices, runnerUp: false })));
    if (!chooseWithin(seen, most)) return null;
  }
  for (const [p, choice] of dear.choices.entries()) {
    if (choice.plan.feasible) continue;
    given[p] = choice;
    seen[p] = [choice];
  }
  const first = free.choices.map((choice, p) => given[p] ?? choice);
  evaluated[0] = { ...free, choices: first, bound: boundOf(first, FREE, most) };
  const tried = new Set<number>();
  let chosen = chooseWithin(seen, most);
  for (let round = 0; round < ROUNDS && chosen; round++) {
    const objective = sum(chosen.choices.map(({ plan }) => plan.objective));
    const bound = Math.min(...evaluated.map(other => other.bound));
    if (bound - objective <= CLOSE * Math.abs(bound)) break;
    // At the price of the last change again nothing new is seen: plans for what is left over are, at prices around it.
    const level = [1, ...NEARBY].map(factor => factor * (chosen?.level ?? 0)).find(other => !tried.has(other));
    if (level === undefined) break;
    tried.add(level);
    at(priceAt(level));
    chosen = chooseWithin(seen, most);
  }
  const best = evaluated.reduce((least, other) => (other.bound < least.bound ? other : least));
  return chosen && fleetOf(chosen.choices, best.bound, best.prices);
}

function fits(choices: readonly Choice[], most: Most): boolean {
  return (
    sum(choices.map(choice => choice.cores)) <= most.cores + SLACK &&
    sum(choices.map(choice => choice.memoryMiB)) <= most.memoryMiB + SLACK
  );
}

/** Of all members together; those that no plan serves count as they are, at no price. */
function boundOf(choices: readonly Choice[], prices: Prices, most: Most): number {
  const paid = (choice: Choice) => prices.core * choice.cores + prices.memoryMiB * choice.memoryMiB;
  const worth = choices.map(choice =>
    choice.plan.feasible
      ? choice.plan.objective + choice.plan.gap - paid(choice)
      : choice.plan.objective - paid(choice),
  );
  return sum(worth) + prices.core * finite(most.cores) + prices.memoryMiB * finite(most.memoryMiB);
}

/** Of a capacity without a limit, whose price is 0. */
function finite(capacity: number): number {
  return Number.isFinite(capacity) ? capacity : 0;
}

/** A pipeline whose best choice is the same at a lower and at a higher price has it at every price between. */
function sandwiched(evaluated: readonly Priced[], prices: Prices, p: number): Choice | null {
  const level = (of: Prices) => of.core + of.memoryMiB;
  let below: Priced | null = null;
  let above: Priced | null = null;
  for (const other of evaluated) {
    if (level(other.prices) <= level(prices)) {
      if (!below || level(other.prices) > level(below.prices)) below = other;
    } else if (!above || level(other.prices) < level(above.prices)) above = other;
  }
  const [a, b] = [below?.choices[p], above?.choices[p]];
  const isSame = a && b && a.cores === b.cores && a.memoryMiB === b.memoryMiB;
  return isSame && a.plan.objective === b.plan.objective ? a : null;
}

function choiceOf({ pipeline }: Problem, plan: Plan): Choice {
  const memoryMiB = sum(plan.stages.map(stage => replicasOf(stage) * memoryOf(pipeline, stage.stage)));
  return { plan, cores: plan.cores, memoryMiB };
}

function fleetOf(choices: readonly Choice[], bound: number, prices: Prices): FleetPlan {
  const objective = sum(choices.map(({ plan }) => plan.objective));
  return {
    plans: choices.map(({ plan }) => plan),
    feasible: choices.every(({ plan }) => plan.feasible),
    objective,
    cores: sum(choices.map(choice => choice.cores)),
    memoryMiB: sum(choices.map(choice => choice.memoryMiB)),
    gap: Math.max(0, bound - objective),
    prices,
    servedShare: 1,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
