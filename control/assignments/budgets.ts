import type { Assignment } from "../../domain/assignment.ts";
import type { Pipeline, Stage } from "../../domain/pipeline.ts";

/** The time of a request that a stage and those after it may take. */
export type Budgets = Pick<Assignment, "budgetMs" | "laterBudgetMs" | "laterLeastMs">;

/** Milliseconds by stage. */
type StageMs = Readonly<Record<string, number>>;

/**
 * Gives each stage the time that is planned for it and a part of the SLO's time that the longest path leaves, by the root of what is planned.
 * A stage mixes its variants the better the more of its batches may wait, so that what is lost falls with the time that is left over the time of a
 * batch; the sum of that over the stages is least where time is given by the root. In proportion, a stage that is much faster than those after it
 * would be left with less than a delay of the machine.
 *
 * @param plannedMs latency of each stage by the plan.
 * @param leastMs what each stage takes with its lightest variant.
 */
export function shareBudgets(
  { stages, slo, overhead }: Pipeline,
  plannedMs: StageMs,
  leastMs: StageMs,
): Readonly<Record<string, Budgets>> {
  const availableMs = Math.max(0, slo.latencyMs - overhead.latencyMs);
  const planned = toUsable(stages, plannedMs);
  const longestMs = findLongestPath(stages, planned);
  const shrink = Math.min(1, availableMs / longestMs);
  const roots = mapStages(stages, name => Math.sqrt(planned[name] ?? 0));
  const perRootMs = Math.max(0, availableMs - longestMs) / findLongestPath(stages, roots);
  const budgets = mapStages(stages, name => shrink * (planned[name] ?? 0) + perRootMs * (roots[name] ?? 0));
  const behind = findLongestBehind(stages, budgets);
  const leastBehind = findLongestBehind(stages, leastMs);
  return Object.fromEntries(
    stages.map(({ name }) => [
      name,
      {
        budgetMs: budgets[name] ?? 0,
        laterBudgetMs: behind[name] ?? 0,
        laterLeastMs: leastBehind[name] ?? 0,
      },
    ]),
  );
}

/** All the same where the plan does not say what stages take. */
function toUsable(stages: readonly Stage[], plannedMs: StageMs): StageMs {
  const isUsable = stages.every(({ name }) => Number.isFinite(plannedMs[name]) && (plannedMs[name] ?? 0) > 0);
  return isUsable ? plannedMs : mapStages(stages, () => 1);
}

function mapStages(stages: readonly Stage[], toMs: (name: string) => number): StageMs {
  return Object.fromEntries(stages.map(({ name }) => [name, toMs(name)]));
}

function findLongestPath(stages: readonly Stage[], ms: StageMs): number {
  const behind = findLongestBehind(stages, ms);
  return Math.max(...stages.map(({ name }) => (ms[name] ?? 0) + (behind[name] ?? 0)));
}

/** Finds the longest path from the end of each stage to the end of the pipeline. Stages come after those that they depend on. */
function findLongestBehind(stages: readonly Stage[], ms: StageMs): StageMs {
  const behind: Record<string, number> = {};
  for (const { name, dependsOn } of stages.toReversed()) {
    const own = behind[name] ?? 0;
    behind[name] = own;
    for (const before of dependsOn) behind[before] = Math.max(behind[before] ?? 0, (ms[name] ?? 0) + own);
  }
  return behind;
}
