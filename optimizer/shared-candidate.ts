import type { Plan } from "../domain/plan.ts";
import { type Deadline, limitOfNext } from "./effort.ts";
import { fleetWithin } from "./fleet.ts";
import { type Counted, type FleetPlan, isHopeless, memoryOf, type SharedCapacity, sum } from "./fleet-plan.ts";
import { optimize } from "./optimize.ts";
import type { Problem } from "./problem.ts";
import type { RowRange } from "./shared-rows.ts";
import { costAgain, type Member, memberProblem, type Setting } from "./shared-setting.ts";

/** Problems with a stage in common, and what they share. */
export interface SharedTask {
  readonly problems: readonly Problem[];
  readonly members: readonly Member[];
  readonly capacity: SharedCapacity;
  /** Best plans without limits of those that are no members. */
  readonly others: ReadonlyMap<number, Plan>;
}

/** Plans without limits for one setting. */
export interface Candidate {
  readonly setting: Setting;
  readonly problems: readonly Problem[];
  readonly plans: readonly Plan[];
  /** Pipelines whose load is served. */
  readonly served: number;
  /** Those, and those of which it is not proven that no plan serves it. */
  readonly mayServe: number;
  /** No plans for the setting are worth more together. */
  readonly bound: number;
}

/** Of a task's problems. */
export function othersOf(
  problems: readonly Problem[],
  members: readonly Member[],
  deadline: Deadline | null,
): SharedTask["others"] {
  const others = new Map<number, Plan>();
  for (const [p, problem] of problems.entries()) {
    if (members.some(member => member.problem === p)) continue;
    others.set(p, optimize({ ...problem, runnerUp: false }, limitOfNext(deadline, problems.length - p)));
  }
  return others;
}

/** What those that are no members are worth at most. */
export function othersWorth({ others }: SharedTask): number {
  return sum([...others.values()].map(plan => plan.objective + plan.gap));
}

/**
 * The best plans for a setting where members bring as many rows as they can, or as few.
 *
 * @param left settings that share the time until the deadline, this one included.
 */
export function candidateOf(
  { problems, members, others }: SharedTask,
  setting: Setting,
  rows: keyof RowRange,
  deadline: Deadline | null,
  left: number,
): Candidate {
  const given = problems.map((problem, p) => {
    const member = members.find(other => other.problem === p);
    return member ? memberProblem(problem, member, members, setting, rows) : problem;
  });
  const plans = given.map((problem, p) => {
    const limit = limitOfNext(deadline, left * members.length);
    return others.get(p) ?? optimize({ ...problem, runnerUp: false }, limit);
  });
  return {
    setting,
    problems: given,
    plans,
    served: servedOf(plans),
    mayServe: plans.filter(plan => !isHopeless(plan)).length,
    bound: sum(plans.map(plan => plan.objective + plan.gap)) + costAgain(setting, members),
  };
}

export function servedOf(plans: readonly Plan[]): number {
  return plans.filter(({ feasible }) => feasible).length;
}

/** The best plans for a candidate's setting that fit together, everything counted once, and what none that fit are worth more than. */
export function withinCapacity(
  { members, capacity }: SharedTask,
  { setting, problems, plans, bound }: Candidate,
  deadline: Deadline | null,
): { readonly fleet: FleetPlan | null; readonly bound: number } {
  const { replicas, variant } = setting;
  const counted = members.slice(1).map(({ problem, stage }): Counted => {
    const memoryMiB = replicas * memoryOf(problems[problem]?.pipeline, stage);
    return { problem, stage, cores: replicas * variant.cores, memoryMiB };
  });
  const found = fleetWithin(problems, capacity, { counted, free: plans }, deadline);
  const again = costAgain(setting, members);
  const given = sum([...found.hopeless].map(p => (found.fleet?.plans ?? plans)[p]?.objective ?? 0));
  return {
    bound: Math.min(bound, found.bound + given + again),
    fleet: found.fleet && {
      ...found.fleet,
      objective: found.fleet.objective + again,
      cores: found.fleet.cores - sum(counted.map(({ cores }) => cores)),
      memoryMiB: found.fleet.memoryMiB - sum(counted.map(({ memoryMiB }) => memoryMiB)),
    },
  };
}
