import type { Plan } from "../domain/plan.ts";
import { type Deadline, deadlineOf, isOver, partOf, type TimeLimit } from "./effort.ts";
import { limitOf } from "./fleet.ts";
import { type FleetPlan, type SharedCapacity, sum, withGap } from "./fleet-plan.ts";
import type { Problem } from "./problem.ts";
import { boundOfAllRows } from "./shared-bound.ts";
import { othersOf, type SharedTask, servedOf } from "./shared-candidate.ts";
import { rowChoices, withLeftOut } from "./shared-rows.ts";
import { type Member, membersOf, type SharedStage } from "./shared-setting.ts";
import { isBetter, searchSettings } from "./shared-settings-search.ts";
import { settled } from "./shared-settled.ts";
import { mostServed, shedPlan } from "./shed-plan.ts";

const NO_LIMIT: SharedCapacity = { cores: null, memoryMiB: null, nodes: null };
const HALF = 1 / 2;
/** Ways to give rows to a shared stage that are looked at one by one. */
const MOST_CASES = 32;

/**
 * Plans for pipelines with one stage in common, within what they share: for variants, batches and counts of it that can serve all rows, the
 * best plans of the pipelines, which only share capacity once that is fixed. Where rows at the stage depend on variants before it, each
 * way in which these can give rows is such a problem; where there are too many, the most rows are planned for, and `gap` covers what
 * plans for fewer could gain. The shared stage is in all of its members' plans, and in all sums once. Null: a stage is not there, or may
 * have no replicas at all.
 *
 * @param limit as of `optimizeFleet`.
 */
export function optimizeShared(
  problems: readonly Problem[],
  shared: SharedStage,
  capacity: SharedCapacity = NO_LIMIT,
  limit: TimeLimit | null = null,
): FleetPlan | null {
  const deadline = deadlineOf(limit);
  const at = (share: number) => problems.map(problem => ({ ...problem, rateRps: problem.rateRps * share }));
  const found = (share: number, within: SharedCapacity): Found =>
    planForMost(at(share), shared, within, partOf(deadline, HALF));
  const planFor = (share: number): Found | null => {
    const other = found(share, capacity);
    return other.plan && other;
  };
  const full = planShared(problems, shared, capacity, deadline);
  if (full.plan) return withGap(full.plan, full.bound(servedOf(full.plan.plans)) - full.plan.objective);
  const most = mostServed(planFor, () => isOver(deadline));
  const plan = most?.plan.plan ?? found(0, NO_LIMIT).plan;
  if (!plan) return null;
  const share = most?.share ?? 0;
  const forbids = found(1, NO_LIMIT).plan ? limitOf(capacity) : "maxReplicas";
  const plans = plan.plans.map((own, p) => shedPlan(problems[p], own, share, forbids));
  const lost = sum(plan.plans.map((own, p) => own.objective - (plans[p]?.objective ?? 0)));
  const objective = plan.objective - lost;
  const bound = most
    ? most.plan.bound(servedOf(plan.plans))
    : sum(problems.map(({ pipeline }) => pipeline.objective.weights.accuracy));
  const shed = { ...plan, plans, feasible: false, objective, servedShare: share };
  return withGap(shed, Math.max(bound, full.bound(problems.length)) - objective);
}

interface Found {
  /** Null: nothing serves all rows, or nothing was found that fits. Its gap is that of its own setting. */
  readonly plan: FleetPlan | null;
  /** What no plans for all rows that fit, serve so many pipelines and are better than `plan` are worth more than. */
  readonly bound: (least: number) => number;
}

/** For what the variants before the stage really give, while there are not too many ways to. */
function planShared(
  problems: readonly Problem[],
  shared: SharedStage,
  capacity: SharedCapacity,
  deadline: Deadline | null,
): Found {
  const members = membersOf(problems, shared);
  const cases = members && casesOf(problems, members);
  const others = members && othersOf(problems, members, partOf(deadline, HALF));
  const first = planForMost(problems, shared, capacity, cases ? partOf(deadline, HALF) : deadline, others);
  if (!cases) return first;
  // What is predicted for more rows than come is only compared where the time is over.
  let best: FleetPlan | null = null;
  const bounds: Found["bound"][] = [];
  for (const [i, own] of cases.entries()) {
    if (isOver(deadline)) break;
    const toBeat = best?.feasible ? best.objective : Number.NEGATIVE_INFINITY;
    const part = partOf(deadline, 1 / (cases.length - i));
    const { plan, bound } = planForMost(own, shared, capacity, part, others, toBeat);
    bounds.push(bound);
    if (plan && isBetter(plan, best)) best = plan;
  }
  if (bounds.length === cases.length && (best || !first.plan))
    return { plan: best, bound: least => Math.max(...bounds.map(bound => bound(least))) };
  return { plan: first.plan && isBetter(first.plan, best) ? first.plan : best, bound: first.bound };
}

/** The problems with variants left out so that the others give as many rows, for every way to; null: none depends on them, or too many do. */
function casesOf(problems: readonly Problem[], members: readonly Member[]): (readonly Problem[])[] | null {
  let cases: (readonly Problem[])[] = [problems];
  for (const { problem, scope, index } of members) {
    const choices = rowChoices(scope, index);
    if (!choices || choices.length * cases.length > MOST_CASES) return null;
    cases = cases.flatMap(own =>
      choices.map(leftOut => own.map((other, p) => (p === problem ? withLeftOut(other, leftOut) : other))),
    );
  }
  return cases.length > 1 ? cases : null;
}

/** For the most rows that the variants before the stage can give. */
function planForMost(
  problems: readonly Problem[],
  shared: SharedStage,
  capacity: SharedCapacity,
  deadline: Deadline | null,
  known: SharedTask["others"] | null = null,
  toBeat = Number.NEGATIVE_INFINITY,
): Found {
  const members = membersOf(problems, shared);
  if (!members) return { plan: null, bound: () => Number.NEGATIVE_INFINITY };
  const others = known ?? othersOf(problems, members, partOf(deadline, HALF));
  const task: SharedTask = { problems, members, capacity, others };
  const { fleet: found, bound, tried } = searchSettings(task, toBeat, deadline);
  const isExact = members.every(({ rows }) => rows.fewest === rows.most);
  const fleet = isExact || !found ? found : settled(task, shared, found, deadline);
  const plans = fleet?.plans.map((own, p) => withoutOwnPins(own, problems[p]));
  return {
    plan: fleet && plans ? { ...fleet, plans } : null,
    bound: least => (isExact ? bound(least) : boundOfAllRows(task, tried, fleet, least, deadline)),
  };
}

/** The settings that are tried are pins that nobody made. */
function withoutOwnPins(plan: Plan, problem: Problem | undefined): Plan {
  if (problem && problem.pins.length > 0) return plan;
  return { ...plan, reasons: plan.reasons.filter(reason => reason !== "pinned") };
}
