import { type AssignedRung, type Assignment, compareVersions, findServingRungs } from "../../domain/assignment.ts";
import { type Refused, refuse, SUPERSEDED } from "../session-messages.ts";
import { findInMemory, findLighter, listBeside } from "./fallback.ts";
import { findQuarantine, tryAgain } from "./faults.ts";
import {
  areSame,
  findDesired,
  findNextWanted,
  findRecovery,
  findWanted,
  isWarm,
  type Load,
  listBatches,
  type Moment,
  mayLoad,
  type Rungs,
  type Switch,
  type SwitchingEffect,
  type SwitchingState,
  type SwitchOutcome,
} from "./state.ts";

/** One call of the reducer: the state as far as it has come, and what is to be done. */
export interface Turn {
  state: SwitchingState;
  readonly now: Moment;
  readonly effects: SwitchingEffect[];
}

type WantedSwitch = Pick<Switch, "cause" | "rungs"> & Partial<Switch>;

export const NOTHING_DONE: SwitchOutcome = { kind: "done", switchMs: 0 };

export function change(turn: Turn, changes: Partial<SwitchingState>): void {
  turn.state = { ...turn.state, ...changes };
}

function takeId(turn: Turn): number {
  const lastId = turn.state.lastId + 1;
  change(turn, { lastId });
  return lastId;
}

export function answer(turn: Turn, reply: number | null, outcome: SwitchOutcome): void {
  if (reply !== null) turn.effects.push({ kind: "answer", reply, outcome });
}

function startLoad(turn: Turn, wanted: Pick<Load, "variant" | "batches" | "use"> & Partial<Load>): void {
  const load = { isFresh: false, beside: [], reply: null, ...wanted, id: takeId(turn), isAborted: false };
  change(turn, { loads: [...turn.state.loads, load] });
  turn.effects.push({ kind: "load", load });
}

export function abortLoads(turn: Turn, isUnwanted: (load: Load) => boolean): void {
  const loads = turn.state.loads.map(load => {
    if (load.isAborted || !isUnwanted(load)) return load;
    turn.effects.push({ kind: "abort", load: load.id });
    return { ...load, isAborted: true };
  });
  change(turn, { loads });
}

export function retryLoads(turn: Turn, which: "all" | "not given up"): void {
  change(turn, { faults: tryAgain(turn.state.faults, which) });
}

/** Begins a Switch: the newest wins. */
export function beginSwitch(turn: Turn, wanted: WantedSwitch): void {
  supersede(turn, SUPERSEDED);
  change(turn, { current: createSwitch(turn, wanted) });
}

function createSwitch(turn: Turn, wanted: WantedSwitch): Switch {
  const usual = { isFresh: false, isForced: false, assignment: null, reply: null };
  return { ...usual, ...wanted, id: takeId(turn), beganMs: null, swap: "not yet" };
}

/** Ends the Switch that is on its way. `reason`: why an Assignment is not gone to. */
export function supersede(turn: Turn, reason: Refused): void {
  const { current } = turn.state;
  if (current) endSwitch(turn, current, SUPERSEDED, current.assignment ? reason : SUPERSEDED);
}

/** Ends a Switch that was done, or refused. `told`: the reason that its callers learn. */
export function endSwitch(turn: Turn, ended: Switch, refused: Refused | null, told = refused): void {
  const { nowMs } = turn.now;
  if (ended.beganMs !== null) turn.effects.push({ kind: "finish", id: ended.id, refused });
  change(turn, { current: null });
  if (!refused) retryLoads(turn, ended.cause === "reload" ? "all" : "not given up");
  conclude(turn, ended, told ?? { kind: "done", switchMs: nowMs - (ended.beganMs ?? nowMs) });
}

function conclude(turn: Turn, ended: Switch, outcome: SwitchOutcome): void {
  if (ended.assignment) endAssignment(turn, ended, ended.assignment, outcome);
  else if (ended.cause === "pin") endPin(turn, outcome);
  answer(turn, ended.reply, outcome);
}

/** Goes to an Assignment. One that changes budgets alone needs no Switch. */
export function goToAssignment(
  turn: Turn,
  assignment: Assignment,
  how: Pick<Switch, "cause"> & Partial<Switch> = { cause: "assignment" },
): void {
  const wanted = { ...how, assignment, rungs: findServingRungs(assignment) };
  change(turn, { putOff: null });
  if (isServed(turn, wanted.rungs)) conclude(turn, createSwitch(turn, wanted), NOTHING_DONE);
  else beginSwitch(turn, wanted);
}

function isServed({ state, now }: Turn, rungs: Rungs): boolean {
  const { current } = state;
  const top = now.serving?.[0]?.variant;
  if (top === undefined || top !== rungs[0]?.variant) return false;
  // A session that is being replaced by another one of its variant goes on being so.
  const isReplaced = current?.cause === "reload" && current.rungs[0]?.variant === top;
  return (current === null || isReplaced) && areSame(findDesired(state) ?? [], rungs);
}

function endAssignment(turn: Turn, { cause }: Switch, assignment: Assignment, outcome: SwitchOutcome): void {
  const { version } = assignment;
  turn.effects.push({ kind: "tell", version, outcome, variant: "" });
  if (outcome.kind === "done") apply(turn, assignment);
  else if (outcome.code !== "superseded" && outcome.code !== "pinned") {
    if (cause === "unpin" && turn.state.phase !== "closed") leavePin(turn, null);
  } else if (compareVersions(version, turn.state.newest) === 0) change(turn, { putOff: assignment });
}

function apply(turn: Turn, assignment: Assignment): void {
  if (!areSame(turn.state.applied?.rungs ?? [], assignment.rungs)) retryLoads(turn, "not given up");
  change(turn, { applied: assignment });
  turn.effects.push({ kind: "persist", assignment });
  for (const { variant } of assignment.rungs) {
    const reason = findQuarantine(turn.state.faults, variant, turn.now.nowMs);
    if (reason) tellUnloadable(turn, variant, reason);
  }
}

/** A rung whose model can't be served is told to the scaler, which plans without it. */
export function tellUnloadable(turn: Turn, variant: string, outcome: Refused): void {
  const { applied } = turn.state;
  if (!applied?.rungs.some(rung => rung.variant === variant) || turn.now.sessions.has(variant)) return;
  turn.effects.push({ kind: "tell", version: applied.version, outcome, variant });
}

function endPin(turn: Turn, outcome: SwitchOutcome): void {
  const { pin, heldPin, pinSerial } = turn.state;
  if (outcome.kind === "refused") change(turn, { pin: heldPin, pinSerial: pinSerial + 1 });
  else if (pin) {
    const held = { ...pin, expiresAtMs: turn.now.nowMs + pin.ttlMs };
    change(turn, { pin: held, heldPin: held });
  }
}

/** Lets go of the pin: goes to the Assignment that it has put off, else to what is desired without it. */
export function unpin(turn: Turn, reply: number | null): void {
  supersede(turn, SUPERSEDED);
  change(turn, { pin: null, heldPin: null, pinSerial: turn.state.pinSerial + 1 });
  leavePin(turn, reply);
}

function leavePin(turn: Turn, reply: number | null): void {
  const { state } = turn;
  if (state.putOff) goToAssignment(turn, state.putOff, { cause: "unpin", reply });
  else beginSwitch(turn, { cause: "unpin", rungs: findDesired(state) ?? state.defaultRungs, reply });
}

/** Does what can be done now, in the order of its importance. */
export function makeProgress(turn: Turn): void {
  if (turn.state.phase === "closed") return;
  for (let isEnded = true; isEnded; ) {
    if (turn.state.current === null) chooseSwitch(turn);
    isEnded = turn.state.current !== null && advance(turn, turn.state.current);
  }
  if (turn.state.current === null) loadInBackground(turn);
}

/** Begins a Switch of this switcher's own where one is due, and before that lets serve what needs none. */
function chooseSwitch(turn: Turn): void {
  const { putOff, pin, phase } = turn.state;
  if (putOff && !pin && phase === "open") goToAssignment(turn, putOff);
  if (turn.state.current || findDesired(turn.state) === null) return;
  serveFromMemory(turn);
  const rungs = turn.state.standIn ? null : findRecovery(turn.state, turn.now);
  if (rungs) beginSwitch(turn, { cause: "recovery", rungs, isForced: true });
}

/**
 * Lets take over what is in memory: where nothing serves, the best of it, until the Switch on its way is done; where there is none, also what is
 * better than what serves.
 */
function serveFromMemory(turn: Turn): void {
  const { state, now } = turn;
  const { current, standIn } = state;
  if (standIn && now.sessions.has(standIn.variant)) return;
  if (standIn) turn.effects.push({ kind: "finish", id: standIn.id, refused: SUPERSEDED });
  change(turn, { standIn: null });
  const rungs = current && current.swap !== "not yet" ? null : findInMemory(state, now);
  if (rungs) letStandIn(turn, rungs);
}

function letStandIn(turn: Turn, rungs: Rungs): void {
  const [{ variant }] = rungs as readonly [AssignedRung];
  const id = takeId(turn);
  change(turn, { standIn: { id, variant } });
  turn.effects.push({ kind: "begin", id, cause: "recovery", rungs }, { kind: "serve", id, rungs });
}

/** A load for a Switch has found no room: a lighter rung takes over from what serves, which may go then. True: the load is tried again. */
export function makeMoreRoom(turn: Turn, current: Switch, { beside }: Load): boolean {
  const kept = listBeside(current, turn.now);
  if (turn.state.standIn || beside.some(variant => !kept.includes(variant))) return true;
  const rungs = findLighter(current, turn.now);
  if (rungs) letStandIn(turn, rungs);
  return rungs !== null;
}

/** Goes on with a Switch as far as it gets now; true: it has ended. */
function advance(turn: Turn, current: Switch): boolean {
  const { now } = turn;
  const { rungs, isFresh } = current;
  const [top] = rungs as readonly [AssignedRung];
  if (current.swap !== "not yet") return false;
  const isUsable = !isFresh && now.sessions.has(top.variant);
  const problem = current.beganMs === null ? findProblem(turn, top.variant, current.isForced || isUsable) : null;
  if (problem) {
    endSwitch(turn, current, problem);
    return true;
  }
  // The session that serves may be lost, or one that was replaced, while there is none of its variant to go on with.
  const isServing = isUsable && now.serving?.[0]?.variant === top.variant;
  if (isServing || (isUsable && isWarm(now, top))) {
    abortLoads(turn, ({ use }) => use === "switch");
    begin(turn, current, isServing ? "same" : "other");
    turn.effects.push({ kind: "serve", id: current.id, rungs });
    return false;
  }
  serveFromMemory(turn);
  const rung = isUsable ? top : chooseLoad(turn, current);
  if (rung === top) begin(turn, current, "not yet");
  loadForSwitch(turn, current, rung, isUsable);
  return false;
}

function begin(turn: Turn, current: Switch, swap: Switch["swap"]): void {
  const { id, cause, rungs, beganMs } = current;
  if (beganMs === null) turn.effects.push({ kind: "begin", id, cause, rungs });
  change(turn, { current: { ...current, beganMs: beganMs ?? turn.now.nowMs, swap } });
}

/** Chooses the top of a Switch or, before that where nothing serves, its floor: that is there sooner. */
function chooseLoad({ state, now }: Turn, { rungs }: Switch): AssignedRung {
  const [top] = rungs as readonly [AssignedRung];
  const floor = rungs.at(-1) ?? top;
  const isBegun = state.loads.some(({ variant, isAborted }) => variant === top.variant && !isAborted);
  const isFloorDue = !now.serving && !isBegun && !now.sessions.has(floor.variant);
  return isFloorDue && mayLoad(state, floor.variant, now) ? floor : top;
}

function loadForSwitch(turn: Turn, current: Switch, { variant, maxBatch }: AssignedRung, isInMemory: boolean): void {
  const { isFresh } = current;
  abortLoads(turn, load => {
    const isIts = load.variant === variant && load.isFresh === isFresh;
    return !isIts && !(isInMemory && load.use !== "switch");
  });
  const { loads, standIn } = turn.state;
  // There may be more room once what stands in serves.
  if (standIn || (isInMemory ? loads.some(load => load.variant === variant) : loads.length > 0)) return;
  const beside = listBeside(current, turn.now);
  startLoad(turn, { variant, batches: listBatches(maxBatch), isFresh, use: "switch", beside });
}

/**
 * Loads the next rung that is not in memory, or warms it for a larger batch. It makes room by giving up less important rungs; under a pin by
 * giving up none, as they are gone back to.
 */
function loadInBackground(turn: Turn): void {
  const rungs = findWanted(turn.state);
  const wanted = rungs.map(({ variant }) => variant);
  abortLoads(turn, ({ use, variant }) => use === "switch" || (use === "rung" && !wanted.includes(variant)));
  const { loads, profile, pin } = turn.state;
  if (loads.length > 0 || profile?.isBegun) return;
  if (profile) {
    const { variant, batches, reply } = profile;
    change(turn, { profile: { ...profile, isBegun: true } });
    startLoad(turn, { variant, batches, use: "profile", reply });
    return;
  }
  const at = findNextWanted(turn.state, turn.now);
  const rung = rungs[at];
  if (!rung) return;
  const { variant, maxBatch } = rung;
  const beside = pin ? wanted.filter(name => name !== variant) : wanted.slice(0, at);
  startLoad(turn, { variant, batches: listBatches(maxBatch), use: "rung", beside });
}

/** Says why a variant is not to be tried; null: it is. `isTried`: it is, also where it is quarantined. */
function findProblem({ state, now }: Turn, variant: string, isTried: boolean): Refused | null {
  const { variants, faults } = state;
  if (!variants.includes(variant))
    return refuse("unknown_variant", `${variant} is none of this stage's variants: ${variants.join(", ")}`);
  const reason = isTried ? null : findQuarantine(faults, variant, now.nowMs);
  return reason && refuse(reason.code, `${reason.message} (not tried again yet)`);
}
