import type { Plan } from "../domain/plan.ts";
import { optimize } from "./optimize.ts";
import type { Problem } from "./problem.ts";
import { atRate, rowsAt, type Scope, type ScopeVariant, scopeOf } from "./scope.ts";
import { mostServed, shedPlan } from "./shed-plan.ts";
import { replicaCounts } from "./stage-options.ts";

/** A stage that several pipelines use: the same replicas serve the rows of all of them. */
export interface SharedStage {
  /** Indices of the problems, and the stage's name in each. The first one's shape, bounds and variants count. */
  readonly members: readonly { readonly problem: number; readonly stage: string }[];
}

export interface SharedPlan {
  /** In the order of the problems; the shared stage is in all of its members' plans. */
  readonly plans: readonly Plan[];
  readonly feasible: boolean;
  /** Sum of the plans', with the shared stage's cores counted once. */
  readonly objective: number;
  readonly cores: number;
  /** Proven best. False where rows at the shared stage depend on variants before it: the most rows are planned for. */
  readonly optimal: boolean;
  /** Share of each pipeline's load that is planned for; below 1 where no replicas that the shared stage may have serve all. */
  readonly servedShare: number;
}

/**
 * Plans for pipelines with one stage in common: for every variant, batch and count of it that can serve all rows, the best plans of the
 * pipelines, which are independent of one another once that is fixed. Null: a stage is not there, or may have no replicas at all.
 */
export function optimizeShared(problems: readonly Problem[], shared: SharedStage): SharedPlan | null {
  const full = planShared(problems, shared);
  if (full) return full;
  const at = (share: number) => problems.map(problem => ({ ...problem, rateRps: problem.rateRps * share }));
  const most = mostServed(share => planShared(at(share), shared));
  if (!most) return null;
  const { plan, share } = most;
  const plans = plan.plans.map((own, p) => shedPlan(problems[p], own, share, "maxReplicas"));
  const objective = plan.plans.reduce(
    (sum, own, p) => sum + (plans[p]?.objective ?? 0) - own.objective,
    plan.objective,
  );
  return { ...plan, plans, feasible: false, objective, optimal: false, servedShare: share };
}

/** Null: nothing serves all rows. */
function planShared(problems: readonly Problem[], shared: SharedStage): SharedPlan | null {
  const members = shared.members.flatMap(({ problem: p, stage: name }) => {
    const problem = problems[p];
    const scope = problem && scopeOf(problem);
    const index = scope?.stages.findIndex(({ stage }) => stage.name === name) ?? -1;
    return scope && index >= 0 ? [{ p, name, scope, index, rows: mostRows(scope, index) }] : [];
  });
  const [first] = members;
  const stage = first?.scope.stages[first.index];
  if (!first || !stage || members.length < shared.members.length) return null;
  const rps = members.map(({ scope, rows }) => scope.rateRps * rows.most);
  const total = rps.reduce((sum, own) => sum + own, 0);
  // The first one may have no load at all.
  const busiest = atRate(first.scope, Math.max(...members.map(({ scope }) => scope.rateRps)));
  const others = problems.map((problem, p) => (members.some(member => member.p === p) ? null : optimize(problem)));
  let best: SharedPlan | null = null;
  for (const variant of stage.variants)
    for (const batch of variant.batches)
      for (const replicas of countsFor(busiest, first.index, variant, batch, total)) {
        const plans = problems.map((problem, p) => {
          const m = members.findIndex(member => member.p === p);
          const member = members[m];
          if (!member) return others[p] ?? optimize(problem);
          const pins = [...problem.pins, { stage: member.name, variant: variant.name, batch, replicas }];
          return optimize({ ...problem, pins, othersRps: { [member.name]: total - (rps[m] ?? 0) } });
        });
        const again = members.slice(1).map(({ p }) => problems[p]?.pipeline.objective.weights.cost ?? 0);
        const countedAgain = again.reduce((sum, cost) => sum + cost * replicas * variant.cores, 0);
        const plan: SharedPlan = {
          plans,
          feasible: plans.every(({ feasible }) => feasible),
          objective: plans.reduce((sum, { objective }) => sum + objective, countedAgain),
          cores: plans.reduce((sum, { cores }) => sum + cores, -again.length * replicas * variant.cores),
          optimal: plans.every(({ optimal }) => optimal) && members.every(({ rows }) => rows.fewest === rows.most),
          servedShare: 1,
        };
        if (!best || isBetter(plan, best)) best = plan;
      }
  return best;
}

function isBetter(a: SharedPlan, b: SharedPlan): boolean {
  return a.feasible === b.feasible ? a.objective > b.objective : a.feasible;
}

function countsFor(scope: Scope, index: number, variant: ScopeVariant, batch: number, totalRps: number): number[] {
  const stage = scope.stages[index];
  if (!stage) return [];
  const rows = scope.rateRps > 0 ? totalRps / scope.rateRps : 0;
  return replicaCounts(scope, stage, variant, rows, batch);
}

/** Rows of one request at a stage, over all variants before it. */
function mostRows(scope: Scope, index: number): { readonly fewest: number; readonly most: number } {
  let range = { fewest: 1, most: 1 };
  const path: number[] = [];
  for (let at = index; at >= 0; at = scope.stages[at]?.upstream ?? -1) path.unshift(at);
  for (const at of path) {
    const upstream = scope.stages[scope.stages[at]?.upstream ?? -1];
    const names = upstream?.variants.map(({ name }) => name) ?? [""];
    const factors = names.map(name =>
      rowsAt(
        scope,
        at,
        scope.stages.map(() => 1),
        scope.stages.map(() => name),
      ),
    );
    range = { fewest: range.fewest * Math.min(...factors), most: range.most * Math.max(...factors) };
  }
  return range;
}
