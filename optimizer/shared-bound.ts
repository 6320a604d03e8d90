import { type Deadline, isOver } from "./effort.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import { candidateOf, othersWorth, type SharedTask, withinCapacity } from "./shared-candidate.ts";
import { mostWorth, possibleSettings, type Setting } from "./shared-setting.ts";

/** Settings that are looked at; the others are worth `mostWorth` at most. */
const MOST_LOOKS = 200;

/**
 * No plans that serve `least` pipelines or more and are better than `best` (null: any) have a higher sum of objectives, where the rows at
 * the shared stage depend on the variants before it. Every setting that may serve any rows that these can give is a problem of its own for each
 * pipeline, in which the others bring their fewest rows: no choice of theirs leaves it more. The most promising settings are looked at
 * first, until no other could be better.
 *
 * @param tried settings that `best` was chosen from.
 */
export function boundOfAllRows(
  task: SharedTask,
  tried: readonly Setting[],
  best: FleetPlan | null,
  least: number,
  deadline: Deadline | null,
): number {
  const others = othersWorth(task);
  const settings = possibleSettings(task.members, tried, MOST_LOOKS + 1)
    .map(setting => ({ setting, most: mostWorth(setting, task.members) + others }))
    .sort((a, b) => b.most - a.most);
  let bound = best?.objective ?? Number.NEGATIVE_INFINITY;
  for (const [i, { setting, most }] of settings.entries()) {
    if (most <= bound) break;
    if (i >= MOST_LOOKS || isOver(deadline)) return most;
    const candidate = candidateOf(task, setting, "fewest", deadline, Math.min(MOST_LOOKS, settings.length) - i);
    if (candidate.mayServe < least || candidate.bound <= bound) continue;
    bound = Math.max(bound, withinCapacity(task, candidate, deadline).bound);
  }
  return bound;
}
