import { type Deadline, isOver, partOf } from "./effort.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import {
  type Candidate,
  candidateOf,
  othersWorth,
  type SharedTask,
  servedOf,
  withinCapacity,
} from "./shared-candidate.ts";
import { moreSettings, mostWorth, type Setting, settingsOf } from "./shared-setting.ts";

const HALF = 1 / 2;

export interface SettingsResult {
  /** Null: nothing serves all rows, or nothing was found that fits. */
  readonly fleet: FleetPlan | null;
  /** What no plans with these settings that serve so many pipelines are worth more than. */
  readonly bound: (least: number) => number;
  readonly tried: readonly Setting[];
}

/**
 * The best plans for the settings that serve the most rows that can come.
 *
 * @param toBeat settings that can't be worth more are left out: of plans that serve all.
 */
export function searchSettings(task: SharedTask, toBeat: number, deadline: Deadline | null): SettingsResult {
  const looked = lookAt(task, settingsOf(task.members), toBeat, partOf(deadline, HALF));
  const isServed = looked.candidates.some(({ plans }) => plans.every(({ feasible }) => feasible));
  if (!isServed && looked.left.length === 0)
    looked.candidates.push(...lookAt(task, moreSettings(task.members), toBeat, partOf(deadline, HALF)).candidates);
  const tried = [...looked.candidates, ...looked.left].map(({ setting }) => setting);
  return { ...bestOf(task, looked, deadline), tried };
}

interface Looked {
  readonly candidates: Candidate[];
  /** Settings for which there was no time, or that can't be worth more. */
  readonly left: readonly { readonly setting: Setting; readonly most: number }[];
}

/** The settings' candidates: the one with the most capacity first, then by what they could be worth. */
function lookAt(task: SharedTask, settings: readonly Setting[], toBeat: number, deadline: Deadline | null): Looked {
  const others = othersWorth(task);
  const sorted = settings
    .map(setting => ({ setting, most: mostWorth(setting, task.members) + others }))
    .sort((a, b) => b.most - a.most);
  const strongest = sorted.reduce((a, b, i) => (capacityOf(b.setting) > capacityOf(sorted[a]?.setting) ? i : a), 0);
  sorted.unshift(...sorted.splice(strongest, 1));
  const candidates: Candidate[] = [];
  const left: { readonly setting: Setting; readonly most: number }[] = [];
  for (const [i, { setting, most }] of sorted.entries())
    if (most <= toBeat || (i > 0 && isOver(deadline))) left.push({ setting, most });
    else candidates.push(candidateOf(task, setting, "most", deadline, sorted.length - i));
  return { candidates, left };
}

/** Rows per ms. */
function capacityOf(setting: Setting | undefined): number {
  return setting ? (setting.replicas * setting.batch) / setting.variant.service.meanMs(setting.batch) : 0;
}

function bestOf(
  task: SharedTask,
  { candidates, left }: Looked,
  deadline: Deadline | null,
): Pick<SettingsResult, "fleet" | "bound"> {
  const sorted = candidates.toSorted((a, b) => b.served - a.served || b.bound - a.bound);
  let best: FleetPlan | null = null;
  const bounds = left.map(({ most }) => ({ bound: most, mayServe: task.problems.length }));
  for (const candidate of sorted) {
    const { served, mayServe } = candidate;
    const before = best ? servedOf(best.plans) : 0;
    if (best && ((served <= before && candidate.bound <= best.objective) || served < before || isOver(deadline))) {
      bounds.push(candidate);
      continue;
    }
    const { fleet, bound } = withinCapacity(task, candidate, partOf(deadline, HALF));
    bounds.push({ bound, mayServe });
    if (fleet && isBetter(fleet, best)) best = fleet;
  }
  const bound = (least: number) =>
    Math.max(Number.NEGATIVE_INFINITY, ...bounds.flatMap(other => (other.mayServe >= least ? [other.bound] : [])));
  return { fleet: best, bound };
}

/** Serves more pipelines, or as many and is worth more. */
export function isBetter(fleet: FleetPlan, than: FleetPlan | null): boolean {
  if (!than) return true;
  const [served, other] = [servedOf(fleet.plans), servedOf(than.plans)];
  return served === other ? fleet.objective > than.objective : served > other;
}
