import { replicasOf } from "../domain/configuration.ts";
import type { Plan } from "../domain/plan.ts";
import { type Deadline, deadlineOf, isOver, limitOfNext, partOf, type TimeLimit } from "./effort.ts";
import {
  type Counted,
  choiceOf,
  type FleetPlan,
  type FleetResult,
  fleetOf,
  memoryOf,
  type SharedCapacity,
  sum,
  withGap,
  worthOf,
} from "./fleet-plan.ts";
import { FREE, planByPrices } from "./fleet-prices.ts";
import { type NodeShape, placePods } from "./node-fit.ts";
import { optimize } from "./optimize.ts";
import type { Problem } from "./problem.ts";
import { mostServed, shedPlan } from "./shed-plan.ts";

const NODE_ROUNDS = 6;
const HALF = 1 / 2;
const NOBODY: ReadonlySet<number> = new Set();

/**
 * Plans for pipelines that share capacity: the best that `planByPrices` finds, and a proven bound on what others could gain. Where no
 * plans for all loads are found that fit, the same share of every load is planned for.
 *
 * @param limit all searches end by then but for what is needed to have plans at all: a first search of each pipeline with all capacity to
 *   itself and one with the least, each as in `optimize`, and again for a smaller share of the loads where those don't fit.
 */
export function optimizeFleet(
  problems: readonly Problem[],
  capacity: SharedCapacity,
  limit: TimeLimit | null = null,
): FleetPlan {
  const deadline = deadlineOf(limit);
  const at = (share: number) => problems.map(problem => ({ ...problem, rateRps: problem.rateRps * share }));
  const full = fleetWithin(problems, capacity, {}, deadline);
  if (full.fleet) return full.fleet;
  const planFor = (share: number) => fleetWithin(at(share), capacity, {}, partOf(deadline, HALF)).fleet;
  const most = mostServed(planFor, () => isOver(deadline));
  return shedding(problems, most?.plan ?? unfit(problems, deadline), most?.share ?? 0, capacity, full);
}

/** `full`: what is known of plans for all loads. */
function shedding(
  problems: readonly Problem[],
  fleet: FleetPlan,
  share: number,
  capacity: SharedCapacity,
  full: FleetResult,
): FleetPlan {
  const plans = fleet.plans.map((plan, p) => shedPlan(problems[p], plan, share, limitOf(capacity)));
  const objective = sum(plans.map(plan => plan.objective));
  const gap = Math.max(fleet.objective + fleet.gap - objective, full.bound - worthOf(plans, full.hopeless));
  return withGap({ ...fleet, plans, feasible: false, objective, servedShare: share }, gap);
}

/** What forbids more; null: memory, which a plan has no word for. */
export function limitOf({ cores, nodes }: SharedCapacity): "cores" | null {
  return cores !== null || nodes !== null ? "cores" : null;
}

/** Nothing is served, and what is there all the same does not fit. */
function unfit(problems: readonly Problem[], deadline: Deadline | null): FleetPlan {
  const most = sum(problems.map(({ pipeline }) => pipeline.objective.weights.accuracy));
  const choices = problems.map((problem, p) => {
    const empty = { ...problem, rateRps: 0, runnerUp: false };
    return choiceOf(problem, optimize(empty, limitOfNext(deadline, problems.length - p)));
  });
  return fleetOf(choices, most, NOBODY, FREE);
}

/**
 * Plans for all loads that fit together.
 *
 * @param known counted: what the plans' sums of cores and memory have once too often; free: the best plans without limits.
 */
export function fleetWithin(
  problems: readonly Problem[],
  capacity: SharedCapacity,
  known: { readonly counted?: readonly Counted[]; readonly free?: readonly Plan[] },
  deadline: Deadline | null,
): FleetResult {
  const { nodes } = capacity;
  const { counted = [], free } = known;
  const coresAgain = sum(counted.map(({ cores }) => cores));
  const memoryAgain = sum(counted.map(({ memoryMiB }) => memoryMiB));
  const ofNodes = (what: keyof NodeShape) => (nodes ? sum(nodes.map(node => node[what])) : Infinity);
  let cores = coresAgain + Math.min(mostOf(capacity.cores), ofNodes("cores"));
  let memoryMiB = memoryAgain + Math.min(mostOf(capacity.memoryMiB), ofNodes("memoryMiB"));
  const first = planByPrices(problems, { cores, memoryMiB }, free, deadline);
  if (!nodes) return first;
  const { bound, hopeless } = first;
  let fleet = first.fleet;
  for (let round = 1; fleet; round++) {
    const left = placePods(podsOf(problems, fleet.plans, counted), nodes);
    if (left.length === 0) return { bound, hopeless, fleet: withGap(fleet, bound - worthOf(fleet.plans, hopeless)) };
    if (round === NODE_ROUNDS) break;
    // What found no room is taken off what may be used.
    cores = Math.max(0, Math.min(cores, fleet.cores) - sum(left.map(pod => pod.cores)));
    memoryMiB = Math.max(0, Math.min(memoryMiB, fleet.memoryMiB));
    fleet = planByPrices(problems, { cores, memoryMiB }, free, partOf(deadline, HALF)).fleet;
  }
  return { bound, hopeless, fleet: null };
}

/** What is no number is nothing. */
function mostOf(limit: number | null): number {
  return limit === null ? Number.POSITIVE_INFINITY : limit || 0;
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
