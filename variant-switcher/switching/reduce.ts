import { type Assignment, compareVersions, type Version } from "../../domain/assignment.ts";
import { type Refused, refuse, SUPERSEDED } from "../session-messages.ts";
import { addFailure, addLoss, forgetMissingFile, giveUpVariant, isModelFault, liftFault } from "./faults.ts";
import type { Moment, SwitchingEffect, SwitchingEvent, SwitchingState } from "./state.ts";
import {
  abortLoads,
  answer,
  beginSwitch,
  change,
  endSwitch,
  goToAssignment,
  makeMoreRoom,
  makeProgress,
  NOTHING_DONE,
  retryLoads,
  supersede,
  type Turn,
  tellUnloadable,
  unpin,
} from "./switches.ts";

const SHUTTING_DOWN = refuse("shutting_down", "the switcher shuts down");

type EventOfKind<K> = Extract<SwitchingEvent, { readonly kind: K }>;

interface Reduced {
  readonly state: SwitchingState;
  readonly effects: readonly SwitchingEffect[];
}

/**
 * The whole decision of what a replica serves and keeps in memory, without I/O: `Switching` does the effects in their order, and tells by further
 * events how they ended. Each time it is decided again, from the world as it is now, what to do next, so that no order of events leaves something
 * behind that nobody waits for.
 */
export function reduce(before: SwitchingState, event: SwitchingEvent, now: Moment): Reduced {
  const turn: Turn = { state: before, now, effects: [] };
  if (before.phase === "closed" && "reply" in event) answer(turn, event.reply, SHUTTING_DOWN);
  else {
    expirePin(turn);
    (HANDLERS[event.kind] as (turn: Turn, event: SwitchingEvent) => void)(turn, event);
    makeProgress(turn);
  }
  return { state: turn.state, effects: turn.effects };
}

const HANDLERS: { readonly [K in SwitchingEvent["kind"]]: (turn: Turn, event: EventOfKind<K>) => void } = {
  start: (turn, { last }) => start(turn, last),
  assign: (turn, { assignment }) => assign(turn, assignment),
  pin: setPin,
  unpin: (turn, { reply }) => (turn.state.pin ? unpin(turn, reply) : answer(turn, reply, NOTHING_DONE)),
  reload: (turn, { reply }) => reload(turn, reply),
  profile: (turn, { variant, batches, reply }) =>
    change(turn, { profile: { variant, batches, reply, isBegun: false } }),
  leave: (turn, { caller }) => leave(turn, caller),
  loaded: (turn, { load, refused }) => endLoad(turn, load, refused),
  swapped: (turn, { id, isDone }) => endSwap(turn, id, isDone),
  lost: (turn, { variant, reason, inMemoryMs }) => {
    change(turn, { faults: addLoss(turn.state.faults, variant, reason, inMemoryMs, turn.now.nowMs) });
    retryLoads(turn, "not given up");
  },
  giveUp: (turn, { variant }) => change(turn, { faults: giveUpVariant(turn.state.faults, variant, turn.now.nowMs) }),
  findFile: (turn, { variant }) => change(turn, { faults: forgetMissingFile(turn.state.faults, variant) }),
  endProfile: turn => {
    change(turn, { profile: null });
    retryLoads(turn, "not given up");
  },
  wake: () => undefined,
  end: turn => change(turn, { phase: turn.state.phase === "open" ? "ending" : turn.state.phase }),
  close,
};

function start(turn: Turn, last: Assignment | null): void {
  const { isStarted, applied, pin, current, defaultRungs, newest, phase } = turn.state;
  if (isStarted || applied || phase !== "open") return;
  change(turn, { isStarted: true });
  const kept = last && compareVersions(last.version, newest) > 0 ? last : null;
  if (kept && (pin || !current)) change(turn, { newest: kept.version, budgets: kept, putOff: kept });
  if (pin || current) return;
  if (kept) goToAssignment(turn, kept);
  else beginSwitch(turn, { cause: "start", rungs: defaultRungs });
}

function assign(turn: Turn, assignment: Assignment): void {
  const { applied, current, newest, pin, phase } = turn.state;
  const { version } = assignment;
  const tell = (outcome: Refused | typeof NOTHING_DONE): void => {
    turn.effects.push({ kind: "tell", version, outcome, variant: "" });
  };
  const order = compareVersions(version, newest);
  if (phase !== "open") tell(SHUTTING_DOWN);
  else if (order < 0)
    tell(refuse("stale_version", `version ${formatVersion(version)} is older than ${formatVersion(newest)}`));
  else if (applied && compareVersions(version, applied.version) === 0) tell(NOTHING_DONE);
  else if (order > 0 || !current?.assignment) {
    change(turn, { newest: version, budgets: assignment, putOff: pin ? assignment : null });
    if (current?.assignment) supersede(turn, refuse("superseded", `version ${formatVersion(version)} came in between`));
    if (pin) tell(refusePinned(pin.variant));
    else goToAssignment(turn, assignment);
  }
}

function setPin(turn: Turn, { variant, batch, ttlMs, reply }: EventOfKind<"pin">): void {
  supersede(turn, refusePinned(variant));
  const expiresAtMs = turn.now.nowMs + ttlMs;
  change(turn, { pin: { variant, batch, ttlMs, expiresAtMs }, pinSerial: turn.state.pinSerial + 1 });
  beginSwitch(turn, { cause: "pin", rungs: [{ variant, maxBatch: batch }], isForced: true, reply });
}

/** A newer pin that is being switched to decides itself what becomes of it. */
function expirePin(turn: Turn): void {
  const { pin, heldPin, phase } = turn.state;
  if (!heldPin || phase !== "open" || turn.now.nowMs < heldPin.expiresAtMs) return;
  if (pin === heldPin) unpin(turn, null);
  else change(turn, { heldPin: null });
}

function reload(turn: Turn, reply: number): void {
  const { serving } = turn.now;
  abortLoads(turn, ({ isFresh }) => isFresh);
  if (serving) beginSwitch(turn, { cause: "reload", rungs: serving, isFresh: true, isForced: true, reply });
  else answer(turn, reply, refuse("internal", "nothing serves that could be loaded again"));
}

function leave(turn: Turn, caller: number): void {
  const { profile } = turn.state;
  abortLoads(turn, ({ reply }) => reply === caller);
  if (profile?.reply !== caller || profile.isBegun) return;
  change(turn, { profile: null });
  answer(turn, caller, SUPERSEDED);
}

function endLoad(turn: Turn, id: number, refused: Refused | null): void {
  const load = turn.state.loads.find(one => one.id === id);
  if (!load) return;
  change(turn, { loads: turn.state.loads.filter(one => one !== load) });
  answer(turn, load.reply, refused ?? NOTHING_DONE);
  const { current } = turn.state;
  const { variant, isFresh, isAborted, use } = load;
  const isWaited = current?.swap === "not yet" && current.rungs[0]?.variant === variant && current.isFresh === isFresh;
  const isAwaited = isWaited && !isAborted;
  const isShort = use === "switch" && refused?.code === "memory_short";
  if (isAwaited && isShort && makeMoreRoom(turn, current, load)) return;
  judge(turn, variant, refused, isAwaited && current.assignment !== null);
  if (!isAwaited) return;
  // A load in the background may not make as much room as one for a Switch, which then loads itself.
  if (refused && (use === "switch" || isModelFault(refused.code))) endSwitch(turn, current, refused);
  else if (!refused && !turn.now.sessions.has(variant)) endSwitch(turn, current, refuseLost(variant));
  else if (!refused) change(turn, { current: { ...current, isFresh: false } });
}

/** A variant that is at fault itself is quarantined. The scaler is told, where no refused Assignment says so anyway. */
function judge(turn: Turn, variant: string, refused: Refused | null, isSaid: boolean): void {
  const { faults } = turn.state;
  if (!refused) change(turn, { faults: liftFault(faults, variant) });
  if (!refused || refused.code === "superseded") return;
  change(turn, { faults: addFailure(faults, variant, refused, turn.now.nowMs) });
  if (isModelFault(refused.code) && !isSaid) tellUnloadable(turn, variant, refused);
}

function endSwap(turn: Turn, id: number, isDone: boolean): void {
  const { current, standIn } = turn.state;
  if (standIn?.id === id) {
    change(turn, { standIn: null });
    turn.effects.push({ kind: "finish", id, refused: isDone ? null : SUPERSEDED });
  }
  if (current?.id !== id) return;
  if (isDone) endSwitch(turn, current, null);
  // The session crashed while its new batch size waited, and is made again.
  else if (current.swap === "same") change(turn, { current: { ...current, swap: "not yet" } });
  else endSwitch(turn, current, refuseLost(current.rungs[0]?.variant ?? ""));
}

function close(turn: Turn): void {
  const { profile } = turn.state;
  change(turn, { phase: "closed", profile: null });
  supersede(turn, SHUTTING_DOWN);
  abortLoads(turn, () => true);
  if (profile && !profile.isBegun) answer(turn, profile.reply, SUPERSEDED);
}

function refusePinned(variant: string): Refused {
  return refuse("pinned", `an operator has pinned ${variant}`);
}

function refuseLost(variant: string): Refused {
  return refuse("internal", `the session of ${variant} was lost before it could take over`);
}

function formatVersion({ epoch, counter }: Version): string {
  return `${epoch}.${counter}`;
}
