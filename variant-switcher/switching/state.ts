import {
  type AssignedRung,
  type Assignment,
  findServingRungs,
  findTop,
  NO_VERSION,
  type Version,
} from "../../domain/assignment.ts";
import { type Budgets, NO_BUDGETS } from "../../domain/serving/deadlines.ts";
import type { Refused } from "../session-messages.ts";
import { type Faults, findRetryMs } from "./faults.ts";
import type { SwitchCause } from "./switch-history.ts";

/** Variants with their largest batches, the most accurate first unless it is said otherwise. */
export type Rungs = readonly AssignedRung[];

/** The end of a Switch, or of something that would have needed one. */
export type SwitchOutcome = { readonly kind: "done"; readonly switchMs: number } | Refused;

/** A variant that an operator wants to be served, whatever the scaler says, until it expires. */
interface Pin {
  readonly variant: string;
  readonly batch: number;
  readonly ttlMs: number;
  readonly expiresAtMs: number;
}

/** A variant that is loaded, verified and warmed, or only warmed where it is in memory. */
export interface Load {
  readonly id: number;
  readonly variant: string;
  /** Numbers of rows that it is to be warm for. */
  readonly batches: readonly number[];
  /** It is made from the file, also where it is in memory. */
  readonly isFresh: boolean;
  readonly use: "switch" | "rung" | "profile";
  /** Variants that must not go to make room for it. */
  readonly beside: readonly string[];
  readonly isAborted: boolean;
  /** The caller that waits for a profile's. */
  readonly reply: number | null;
}

/** The change of what is served that is on its way. There is one at a time, and the newest wins. */
export interface Switch {
  readonly id: number;
  readonly cause: SwitchCause;
  readonly rungs: Rungs;
  readonly isFresh: boolean;
  /** A quarantined variant is tried all the same. */
  readonly isForced: boolean;
  /** The scaler's, where it asked for the Switch. */
  readonly assignment: Assignment | null;
  /** The caller that waits for the outcome. */
  readonly reply: number | null;
  /** When it was begun, with an entry in the history. */
  readonly beganMs: number | null;
  /** The session takes over when the running batch has ended. `same`: it serves already, and its batch alone changes. */
  readonly swap: "not yet" | "same" | "other";
}

export interface SwitchingState {
  readonly variants: readonly string[];
  /** The rungs of a replica that was never assigned any. */
  readonly defaultRungs: Rungs;
  readonly phase: "open" | "ending" | "closed";
  /** The default variant may be served, as the scaler did not say anything in time. */
  readonly isStarted: boolean;
  readonly newest: Version;
  /** The times of the newest one. They hold from when it comes, also while a pin stands against it or its top loads. */
  readonly budgets: Budgets;
  readonly applied: Assignment | null;
  /** The newest one, where it was refused for what stands against it only for a while: a pin, or a Switch of this switcher's own. */
  readonly putOff: Assignment | null;
  readonly pin: Pin | null;
  /** The newest pin whose Switch was done; it holds again where a newer one can't be served. */
  readonly heldPin: Pin | null;
  readonly pinSerial: number;
  readonly current: Switch | null;
  /** At most one that makes a session, and beside it one that warms a session for a Switch. */
  readonly loads: readonly Load[];
  /** A variant that is to be measured, is loaded for that, or is being measured. */
  readonly profile: (Pick<Load, "variant" | "batches"> & { readonly reply: number; readonly isBegun: boolean }) | null;
  /** A session in memory that takes over beside the Switch that loads, or where there is none; null: there is no need of one. */
  readonly standIn: { readonly id: number; readonly variant: string } | null;
  readonly faults: Faults;
  readonly lastId: number;
}

/** The world outside at one time. */
export interface Moment {
  readonly nowMs: number;
  /** The rungs that serve; null: nothing does. */
  readonly serving: Rungs | null;
  /** The variants whose sessions are in memory and can run, with the numbers of rows that they are warm for. */
  readonly sessions: ReadonlyMap<string, ReadonlySet<number>>;
}

/** A caller waits for the outcome of these. */
export type AskedEvent =
  | { readonly kind: "pin"; readonly variant: string; readonly batch: number; readonly ttlMs: number }
  | { readonly kind: "unpin" }
  /** The session at the top is to be replaced by one that is made from the file. */
  | { readonly kind: "reload" }
  /** A variant is to be loaded and warmed that does not serve. It gives way, with `superseded`, to a Switch that loads. */
  | { readonly kind: "profile"; readonly variant: string; readonly batches: readonly number[] };

type ToldEvent =
  /** The scaler has not said anything in time. `last`: the Assignment of the last run. */
  | { readonly kind: "start"; readonly last: Assignment | null }
  | { readonly kind: "assign"; readonly assignment: Assignment }
  | { readonly kind: "loaded"; readonly load: number; readonly refused: Refused | null }
  /** The batcher has answered. `isDone`: the session serves. */
  | { readonly kind: "swapped"; readonly id: number; readonly isDone: boolean }
  /** A session crashed or hung that was in memory for so long. */
  | { readonly kind: "lost"; readonly variant: string; readonly reason: string; readonly inMemoryMs: number }
  /** A session is about to be dropped, and must not come back at once. */
  | { readonly kind: "giveUp"; readonly variant: string }
  /** A model file, which was missing, has come. */
  | { readonly kind: "findFile"; readonly variant: string }
  /** The caller of a profile is gone. */
  | { readonly kind: "leave"; readonly caller: number }
  /** The profile was measured, or never will be. */
  | { readonly kind: "endProfile" }
  | { readonly kind: "wake" }
  /** No Assignments are taken any more, but work is served as before. */
  | { readonly kind: "end" }
  | { readonly kind: "close" };

export type SwitchingEvent = (AskedEvent & { readonly reply: number }) | ToldEvent;

export type SwitchingEffect =
  | { readonly kind: "load"; readonly load: Load }
  | { readonly kind: "abort"; readonly load: number }
  /** A Switch begins, or ends: the history and the metrics have it. */
  | { readonly kind: "begin"; readonly id: number; readonly cause: SwitchCause; readonly rungs: Rungs }
  | { readonly kind: "finish"; readonly id: number; readonly refused: Refused | null }
  | { readonly kind: "serve"; readonly id: number; readonly rungs: Rungs }
  | { readonly kind: "answer"; readonly reply: number; readonly outcome: SwitchOutcome }
  /** The scaler is told what became of an Assignment. `variant`: the rung that it is about; empty: the top. */
  | { readonly kind: "tell"; readonly version: Version; readonly outcome: SwitchOutcome; readonly variant: string }
  | { readonly kind: "persist"; readonly assignment: Assignment };

export function createState(variants: readonly string[], defaultRungs: Rungs): SwitchingState {
  return {
    variants,
    defaultRungs,
    phase: "open",
    isStarted: false,
    newest: NO_VERSION,
    budgets: NO_BUDGETS,
    applied: null,
    putOff: null,
    pin: null,
    heldPin: null,
    pinSerial: 0,
    current: null,
    loads: [],
    profile: null,
    standIn: null,
    faults: new Map(),
    lastId: 0,
  };
}

/** The rungs that should serve; null: that is not decided yet. */
export function findDesired({ pin, applied, isStarted, defaultRungs }: SwitchingState): Rungs | null {
  if (pin) return [{ variant: pin.variant, maxBatch: pin.batch }];
  if (applied) return findServingRungs(applied);
  return isStarted ? defaultRungs : null;
}

/** The rungs that may serve, in memory or not: where the Switch on its way goes, or what should serve; null: that is not decided yet. */
export function findAllowed(state: SwitchingState): Rungs | null {
  return state.current?.rungs ?? findDesired(state);
}

/** The next heavier variant that may serve, in memory or not. It is asked for every batch, nearly always about the top. */
export function findHeavier(state: SwitchingState, variant: string): string | undefined {
  const { applied, current, pin } = state;
  if (!current && variant === (pin?.variant ?? applied?.top)) return undefined;
  const rungs = findAllowed(state) ?? [];
  return rungs[rungs.findIndex(rung => rung.variant === variant) - 1]?.variant;
}

/** The rungs to be kept in memory, the most important first: the floor, as it serves where nothing else is in time, the top, the others from light to heavy. */
export function findWanted({ pin, applied, isStarted, defaultRungs }: SwitchingState): Rungs {
  const rungs = applied ? sortByImportance(applied) : isStarted ? defaultRungs.toReversed() : [];
  if (!pin) return rungs;
  return [{ variant: pin.variant, maxBatch: pin.batch }, ...rungs.filter(({ variant }) => variant !== pin.variant)];
}

function sortByImportance(assignment: Assignment): Rungs {
  const top = findTop(assignment);
  const others = assignment.rungs.filter(rung => rung !== top).toReversed();
  const isFloor = ({ variant }: AssignedRung): boolean => variant === assignment.floor;
  return [...others.filter(isFloor), top, ...others.filter(rung => !isFloor(rung))];
}

/** The place among the wanted rungs of the next one that is to be loaded or warmed; -1: there is none. */
export function findNextWanted(state: SwitchingState, now: Moment): number {
  return findWanted(state).findIndex(rung => !isWarm(now, rung) && mayLoad(state, rung.variant, now));
}

export function isWarm({ sessions }: Moment, { variant, maxBatch }: AssignedRung): boolean {
  const warm = sessions.get(variant);
  return warm !== undefined && listBatches(maxBatch).every(rows => warm.has(rows));
}

/** Numbers of rows that a session has to be warm for. */
export function listBatches(maxBatch: number): readonly number[] {
  return maxBatch === 1 ? [1] : [1, maxBatch];
}

/** Whether the variant may be loaded without anybody's asking for it. */
export function mayLoad({ variants, faults }: SwitchingState, variant: string, { nowMs, serving }: Moment): boolean {
  return variants.includes(variant) && nowMs >= findRetryMs(faults, variant, serving === null);
}

/** When something is to be done without another event; Infinity: never. */
export function findWakeMs({ heldPin, faults, phase }: SwitchingState, { nowMs, serving }: Moment): number {
  if (phase === "closed") return Number.POSITIVE_INFINITY;
  const times = [...faults.keys()].map(variant => findRetryMs(faults, variant, serving === null));
  if (heldPin && phase === "open") times.push(heldPin.expiresAtMs);
  return Math.min(...times.filter(ms => ms > nowMs));
}

/** The variants that are about to serve: where a Switch is to go, and one that takes over until that is done. */
export function listIncoming({ current, standIn }: SwitchingState): readonly string[] {
  return [current?.rungs[0]?.variant, standIn?.variant].filter(variant => variant !== undefined);
}

/** Changes whenever the Assignment or the pin does. */
export function createEtag({ applied, pinSerial }: SwitchingState): string {
  const { epoch, counter } = applied?.version ?? NO_VERSION;
  return `"${epoch}.${counter}.${pinSerial}"`;
}

/** The rungs to which a Switch that loads should go; null: what serves is what should, or it can't be loaded now. */
export function findRecovery(state: SwitchingState, now: Moment): Rungs | null {
  const desired = findDesired(state);
  const top = desired?.[0];
  if (!desired || !top || now.serving?.[0]?.variant === top.variant) return null;
  const rung = findWanted(state)[findNextWanted(state, now)];
  // While something serves, the rungs come in their order, and none has to wait again for what has begun.
  if (now.serving) return rung?.variant === top.variant && state.loads.length === 0 ? desired : null;
  const fallback = state.defaultRungs.find(({ variant }) => mayServe(state, variant));
  const next = rung ?? (fallback && mayLoad(state, fallback.variant, now) ? fallback : null);
  if (!next) return null;
  const at = desired.findIndex(({ variant }) => variant === next.variant);
  return at < 0 ? [next] : desired.slice(at);
}

/** Below the floor that the pipeline sets nobody is served, whatever is lost. */
export function mayServe({ applied }: SwitchingState, variant: string): boolean {
  return !applied?.belowFloor.includes(variant);
}

export function areSame(some: Rungs, others: Rungs): boolean {
  return JSON.stringify(some) === JSON.stringify(others);
}
