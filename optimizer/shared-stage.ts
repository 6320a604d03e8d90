import { findStage } from "../domain/pipeline.ts";
import type { Plan } from "../domain/plan.ts";
import { type Counted, type FleetPlan, fleetWithin, limitOf, type SharedCapacity } from "./fleet.ts";
import { optimize } from "./optimize.ts";
import type { Problem } from "./problem.ts";
import { countsBeyond, replicaCounts } from "./replica-counts.ts";
import { atRate, type Scope, scopeOf } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { rowsBefore } from "./shared-rows.ts";
import { mostServed, shedPlan } from "./shed-plan.ts";

/** A stage that several pipelines use: the same replicas serve the rows of all of them. */
export interface SharedStage {
  /** Indices of the problems, and the stage's name in each. The first one's shape, bounds and variants count. */
  readonly members: readonly { readonly problem: number; readonly stage: string }[];
}

/** In the order of the problems; the shared stage is in all of its members' plans, and in all sums once. */
export interface SharedPlan extends Omit<FleetPlan, "gap"> {
  /** As a fleet's. Null: nothing is proven, since rows at the shared stage depend on variants before it and the most are planned for. */
  readonly gap: number | null;
}

const NO_LIMIT: SharedCapacity = { cores: null, memoryMiB: null, nodes: null };

/**
 * Plans for pipelines with one stage in common, within what they share: for variants, batches and counts of it that can serve all rows, the
 * best plans of the pipelines, which only share capacity once that is fixed. Null: a stage is not there, or may have no replicas at all.
 */
export function optimizeShared(
  problems: readonly Problem[],
  shared: SharedStage,
  capacity: SharedCapacity = NO_LIMIT,
): SharedPlan | null {
  const full = planShared(problems, shared, capacity);
  if (full) return full;
  const at = (share: number) => problems.map(problem => ({ ...problem, rateRps: problem.rateRps * share }));
  const most = mostServed(share => planShared(at(share), shared, capacity));
  const unlimited = most ? null : planShared(at(0), shared, NO_LIMIT);
  const plan = most?.plan ?? unlimited;
  if (!plan) return null;
  const share = most?.share ?? 0;
  const isLimited = planShared(problems, shared, NO_LIMIT) !== null;
  const limit = isLimited ? limitOf(capacity) : "maxReplicas";
  const plans = plan.plans.map((own, p) => shedPlan(problems[p], own, share, limit));
  const lost = sum(plan.plans.map((own, p) => own.objective - (plans[p]?.objective ?? 0)));
  const objective = plan.objective - lost;
  const bound = unlimited ? sum(problems.map(({ pipeline }) => pipeline.objective.weights.accuracy)) : null;
  const gap = plan.gap === null ? null : bound === null ? plan.gap + lost : Math.max(0, bound - objective);
  return { ...plan, plans, feasible: false, objective, gap, servedShare: share };
}

/** What the shared stage may be like. */
interface Setting {
  readonly variant: ScopeVariant;
  readonly batch: number;
  readonly replicas: number;
}

interface Member {
  readonly problem: number;
  readonly stage: string;
  readonly scope: Scope;
  readonly index: number;
  readonly rows: { readonly fewest: number; readonly most: number };
}

/** Plans without limits for one setting: no plans within them are worth more than `bound`. */
interface Candidate {
  readonly setting: Setting;
  readonly problems: readonly Problem[];
  readonly plans: readonly Plan[];
  /** Pipelines whose load is served. */
  readonly served: number;
  readonly bound: number;
}

/** Null: nothing serves all rows, or nothing was found that fits. */
function planShared(problems: readonly Problem[], shared: SharedStage, capacity: SharedCapacity): SharedPlan | null {
  const members = membersOf(problems, shared);
  if (!members) return null;
  const candidates = candidatesOf(problems, members, replicaCounts);
  if (!candidates.some(({ plans }) => plans.every(({ feasible }) => feasible)))
    candidates.push(...candidatesOf(problems, members, moreReplicas));
  candidates.sort((a, b) => b.served - a.served || b.bound - a.bound);
  let best: FleetPlan | null = null;
  let bound = -Infinity;
  for (const candidate of candidates) {
    const served = best ? servedOf(best.plans) : 0;
    if (best && (candidate.served < served || (candidate.served === served && candidate.bound <= best.objective)))
      break;
    const fleet = fleetOf(candidate, members, capacity);
    // A packing on nodes that was not found may exist all the same.
    if (fleet || capacity.nodes) bound = Math.max(bound, fleet ? fleet.objective + fleet.gap : candidate.bound);
    if (fleet && (!best || isBetter(fleet, best))) best = fleet;
  }
  if (!best) return null;
  const isExact = members.every(({ rows }) => rows.fewest === rows.most);
  const plans = best.plans.map((plan, p) => withoutOwnPins(plan, problems[p]));
  return { ...best, plans, gap: isExact ? Math.max(0, bound - best.objective) : null };
}

function servedOf(plans: readonly Plan[]): number {
  return plans.filter(({ feasible }) => feasible).length;
}

function isBetter(a: FleetPlan, b: FleetPlan): boolean {
  const [served, other] = [servedOf(a.plans), servedOf(b.plans)];
  return served === other ? a.objective > b.objective : served > other;
}

/** The settings that are tried are pins that nobody made. */
function withoutOwnPins(plan: Plan, problem: Problem | undefined): Plan {
  if (problem && problem.pins.length > 0) return plan;
  return { ...plan, reasons: plan.reasons.filter(reason => reason !== "pinned") };
}

function membersOf(problems: readonly Problem[], { members }: SharedStage): readonly Member[] | null {
  const found = members.flatMap(({ problem, stage: name }) => {
    const given = problems[problem];
    const scope = given && scopeOf(given);
    const index = scope?.stages.findIndex(({ stage }) => stage.name === name) ?? -1;
    return scope && index >= 0 ? [{ problem, stage: name, scope, index, rows: rowsBefore(scope, index) }] : [];
  });
  return found.length > 0 && found.length === members.length ? found : null;
}

function candidatesOf(
  problems: readonly Problem[],
  members: readonly Member[],
  countsOf: typeof replicaCounts,
): Candidate[] {
  const others = problems.map((problem, p) =>
    members.some(member => member.problem === p) ? null : optimize({ ...problem, runnerUp: false }),
  );
  return settingsOf(members, countsOf).map(setting => {
    const { variant, batch, replicas } = setting;
    const given = problems.map((problem, p) => {
      const member = members.find(other => other.problem === p);
      if (!member) return problem;
      const pins = [...problem.pins, { stage: member.stage, variant: variant.name, batch, replicas }];
      const othersRps = { [member.stage]: rpsOf(members) - rpsOf([member]) };
      return { ...problem, pins, othersRps };
    });
    const plans = given.map((problem, p) => others[p] ?? optimize({ ...problem, runnerUp: false }));
    return {
      setting,
      problems: given,
      plans,
      served: servedOf(plans),
      bound: sum(plans.map(plan => plan.objective + plan.gap)) + costAgain(setting, problems, members.slice(1)),
    };
  });
}

const moreReplicas: typeof replicaCounts = (scope, stage, ...given) =>
  countsBeyond(scope, stage, Math.max(0, ...replicaCounts(scope, stage, ...given)));

function settingsOf(members: readonly Member[], countsOf: typeof replicaCounts): Setting[] {
  const [first] = members;
  const stage = first?.scope.stages[first.index];
  if (!first || !stage) return [];
  // The first one may have no load at all.
  const scope = atRate(first.scope, Math.max(...members.map(member => member.scope.rateRps)));
  const here = scope.stages[first.index] ?? stage;
  const rows = scope.rateRps > 0 ? rpsOf(members) / scope.rateRps : 0;
  // Its replicas serve one variant each, whoever they serve.
  const alone = stage.variants.filter(({ members }) => members.length === 0);
  return alone.flatMap(variant =>
    variant.batches.flatMap(batch =>
      countsOf(scope, here, variant, rows, batch).map(replicas => ({ variant, batch, replicas })),
    ),
  );
}

/** Rows per second of these members together, at the variants that give the most. */
function rpsOf(members: readonly Member[]): number {
  return sum(members.map(({ scope, rows }) => scope.rateRps * rows.most));
}

/** What the sum of the plans' objectives pays for the shared stage more than once. */
function costAgain({ variant, replicas }: Setting, problems: readonly Problem[], again: readonly Member[]): number {
  const weights = again.map(({ problem }) => problems[problem]?.pipeline.objective.weights.cost ?? 0);
  return sum(weights) * replicas * variant.cores;
}

/** The best plans for a setting that fit together, with everything counted once. */
function fleetOf(candidate: Candidate, members: readonly Member[], capacity: SharedCapacity): FleetPlan | null {
  const { setting, problems, plans } = candidate;
  const again = members.slice(1);
  const counted = again.map(({ problem, stage }): Counted => {
    const pipeline = problems[problem]?.pipeline;
    const memoryMiB = (pipeline && findStage(pipeline, stage)?.memoryMiB) ?? 0;
    const { replicas, variant } = setting;
    return { problem, stage, cores: replicas * variant.cores, memoryMiB: replicas * memoryMiB };
  });
  const fleet = fleetWithin(problems, capacity, { counted, free: plans });
  if (!fleet) return null;
  return {
    ...fleet,
    objective: fleet.objective + costAgain(setting, problems, again),
    cores: fleet.cores - sum(counted.map(({ cores }) => cores)),
    memoryMiB: fleet.memoryMiB - sum(counted.map(({ memoryMiB }) => memoryMiB)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
