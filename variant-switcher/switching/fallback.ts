import type { AssignedRung } from "../../domain/assignment.ts";
import {
  areSame,
  findAllowed,
  findWanted,
  type Moment,
  mayServe,
  type Rungs,
  type Switch,
  type SwitchingState,
} from "./state.ts";

/** The best rungs that may take over from memory; null: there are none. */
export function findInMemory(state: SwitchingState, now: Moment): Rungs | null {
  const { current, defaultRungs } = state;
  const desired = findAllowed(state) ?? defaultRungs;
  const isInMemory = ({ variant }: AssignedRung): boolean => now.sessions.has(variant);
  const at = desired.findIndex(isInMemory);
  if (now.serving) {
    const servedAt = desired.findIndex(({ variant }) => variant === now.serving?.[0]?.variant);
    const isBetter = at >= 0 && (servedAt < 0 || at <= servedAt) && !areSame(now.serving, desired.slice(at));
    return current || !isBetter ? null : desired.slice(at);
  }
  if (at >= 0) return desired.slice(at);
  const any = [...now.sessions.keys()].map(variant => ({ variant, maxBatch: desired[0]?.maxBatch ?? 1 }));
  const others = [...findWanted(state), ...defaultRungs, ...any].filter(isInMemory);
  const other = others.find(({ variant }) => mayServe(state, variant));
  return other ? [other] : null;
}

/**
 * The variants that must not go for the load of a Switch, beside what serves: the floor that it goes to, and as long as that does not serve, the one
 * of before. For a new session of what serves they may go: there the old one must stay, in case the new one can't be served.
 */
export function listBeside(current: Switch, now: Moment): readonly string[] {
  const { rungs, isFresh } = current;
  const floor = rungs.at(-1)?.variant ?? "";
  if (isFresh || rungs.length === 1) return [];
  const before = findFloorBefore(current, now).map(({ variant }) => variant);
  const isFloorThere = now.sessions.has(floor);
  if (!isFloorThere) return before;
  return hasVariant(now.serving ?? [], floor) ? [floor] : [floor, ...before];
}

/** The rungs that may serve in the place of a heavier variant, which then may go to make room for the top of a Switch; null: there are none. */
export function findLighter(current: Switch, now: Moment): Rungs | null {
  const { rungs, isFresh } = current;
  if (isFresh || rungs.length === 1) return null;
  const servedAt = rungs.findIndex(({ variant }) => variant === now.serving?.[0]?.variant);
  const lighter = rungs.slice(Math.max(0, servedAt) + 1).filter(({ variant }) => now.sessions.has(variant));
  const isFloorThere = now.sessions.has(rungs.at(-1)?.variant ?? "");
  const before = isFloorThere
    ? []
    : findFloorBefore(current, now).filter(({ variant }) => !hasVariant(lighter, variant));
  const all = [...lighter, ...before];
  return all.length === 0 ? null : all;
}

/**
 * The lightest rung that serves below another one, unless it is below the floor that is set. One that the Assignment leaves out for another reason
 * serves on, as all others do, until the new top is there.
 */
function findFloorBefore({ assignment }: Switch, { serving, sessions }: Moment): Rungs {
  const lighter = (serving ?? []).slice(1).filter(({ variant }) => sessions.has(variant));
  return lighter.slice(-1).filter(({ variant }) => !assignment?.belowFloor.includes(variant));
}

function hasVariant(rungs: Rungs, name: string): boolean {
  return rungs.some(({ variant }) => variant === name);
}
