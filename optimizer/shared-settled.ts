import type { Deadline } from "./effort.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import { candidateOf, type SharedTask, servedOf, withinCapacity } from "./shared-candidate.ts";
import { rowChoices, withLeftOut } from "./shared-rows.ts";
import { membersOf, type Setting, type SharedStage } from "./shared-setting.ts";

/** Plans that were made for more rows than their variants give, made again for those that they give, with the shared stage as it is. */
export function settled(task: SharedTask, shared: SharedStage, fleet: FleetPlan, deadline: Deadline | null): FleetPlan {
  const setting = settingOf(task, fleet);
  const problems = task.problems.map((problem, p) => {
    const member = task.members.find(other => other.problem === p);
    if (!member) return problem;
    const isServed = (stage: string, leftOut: readonly string[]) =>
      !leftOut.includes(fleet.plans[p]?.stages.find(own => own.stage === stage)?.parts[0]?.variant ?? "");
    const choice = rowChoices(member.scope, member.index)?.find(choices =>
      Object.entries(choices).every(([stage, leftOut]) => isServed(stage, leftOut)),
    );
    return choice ? withLeftOut(problem, choice) : problem;
  });
  const members = membersOf(problems, shared);
  if (!setting || !members?.every(({ rows }) => rows.fewest === rows.most)) return fleet;
  const own = { ...task, problems, members };
  const other = withinCapacity(own, candidateOf(own, setting, "most", deadline, 1), deadline).fleet;
  return other && servedOf(other.plans) >= servedOf(fleet.plans) ? other : fleet;
}

function settingOf({ members }: SharedTask, { plans }: FleetPlan): Setting | null {
  const [first] = members;
  const part = first && plans[first.problem]?.stages.find(({ stage }) => stage === first.stage)?.parts[0];
  const variant = first?.scope.stages[first.index]?.variants.find(({ name }) => name === part?.variant);
  return part && variant ? { variant, batch: part.batch, replicas: part.replicas } : null;
}
