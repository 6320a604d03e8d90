import { type NackCode, QUARANTINE_CODES } from "../../domain/assignment.ts";
import { type Refused, refuse } from "../session-messages.ts";

const FIRST_QUARANTINE_MS = 5000;
const LONGEST_QUARANTINE_MS = 300_000;
/** A variant that was in memory for less has not shown that it can serve. */
const PROBATION_MS = 60_000;
/** Sessions of a variant that may be lost within the window before it is quarantined. */
const MAX_LOSSES = 5;
const LOSS_WINDOW_MS = 60_000;
const RETRY_MS = 60_000;
const URGENT_RETRY_MS = 5000;

interface Fault {
  /** How often in a row the model was at fault, until it has been in memory for long enough. */
  readonly failures: number;
  readonly reason: Refused | null;
  readonly quarantinedUntilMs: number;
  /** When it could not be loaded for another reason, or was given up. */
  readonly heldBackAtMs: number;
  readonly isGivenUp: boolean;
  readonly lostAtMs: readonly number[];
}

const NEVER = Number.NEGATIVE_INFINITY;
const NO_FAULT: Fault = {
  failures: 0,
  reason: null,
  quarantinedUntilMs: NEVER,
  heldBackAtMs: NEVER,
  isGivenUp: false,
  lostAtMs: [],
};

/**
 * The failures of the variants, by name. A variant whose **model** can't be served is quarantined: it is not tried again before a back-off that
 * doubles from 5 s to 5 min is over, so that a broken file costs neither CPU nor memory again and again. A load that succeeds ends the back-off, but
 * its length is forgotten only when the variant has been in memory for as long, and for a minute at least, as it may crash under requests alone.
 * Lack of memory is no property of the model: it is tried again when something has changed, and otherwise after a minute.
 */
export type Faults = ReadonlyMap<string, Fault>;

/** Whether a variant that fails so is quarantined. */
export function isModelFault(code: NackCode): boolean {
  return code !== "memory_short" && QUARANTINE_CODES.includes(code);
}

/** The reason why a variant is quarantined; null where it is not. */
export function findQuarantine(faults: Faults, variant: string, nowMs: number): Refused | null {
  const fault = faults.get(variant);
  return fault && nowMs < fault.quarantinedUntilMs ? fault.reason : null;
}

/** When the variant may be tried again without anybody's asking for it. `isUrgent`: nothing serves. */
export function findRetryMs(faults: Faults, variant: string, isUrgent: boolean): number {
  const { quarantinedUntilMs, heldBackAtMs } = faults.get(variant) ?? NO_FAULT;
  return Math.max(quarantinedUntilMs, heldBackAtMs + (isUrgent ? URGENT_RETRY_MS : RETRY_MS));
}

/** A load has failed. */
export function addFailure(faults: Faults, variant: string, reason: Refused, nowMs: number): Faults {
  const fault = faults.get(variant) ?? NO_FAULT;
  if (!isModelFault(reason.code)) return withFault(faults, variant, { ...fault, heldBackAtMs: nowMs });
  const failures = fault.failures + 1;
  return withFault(faults, variant, { ...fault, failures, reason, quarantinedUntilMs: nowMs + quarantineMs(failures) });
}

/** A load has succeeded. */
export function liftFault(faults: Faults, variant: string): Faults {
  const fault = faults.get(variant);
  const lifted = { quarantinedUntilMs: NEVER, heldBackAtMs: NEVER, isGivenUp: false };
  return fault ? withFault(faults, variant, { ...fault, ...lifted }) : faults;
}

/** A session was lost that had been in memory for so long. */
export function addLoss(faults: Faults, variant: string, reason: string, inMemoryMs: number, nowMs: number): Faults {
  let fault = faults.get(variant) ?? NO_FAULT;
  if (inMemoryMs >= Math.max(PROBATION_MS, quarantineMs(fault.failures))) fault = { ...fault, failures: 0 };
  // While the variant has not shown that it can serve, all its losses count, however long ago they were.
  const sinceMs = fault.failures > 0 ? NEVER : nowMs - LOSS_WINDOW_MS;
  const lostAtMs = [...fault.lostAtMs.filter(ms => ms > sinceMs), nowMs].slice(-MAX_LOSSES);
  const after = withFault(faults, variant, { ...fault, lostAtMs });
  if (lostAtMs.length < MAX_LOSSES) return after;
  const refused = refuse("model_invalid", `its session was lost ${lostAtMs.length} times: ${reason}`);
  return addFailure(after, variant, refused, nowMs);
}

/** The session is about to be dropped, and would be in the way if it came back at once. */
export function giveUpVariant(faults: Faults, variant: string, nowMs: number): Faults {
  return withFault(faults, variant, { ...(faults.get(variant) ?? NO_FAULT), heldBackAtMs: nowMs, isGivenUp: true });
}

/** There may be room for what was held back; `which` says whether also for what was given up. */
export function tryAgain(faults: Faults, which: "all" | "not given up"): Faults {
  const stays = ({ isGivenUp }: Fault): boolean => isGivenUp && which === "not given up";
  const free = { heldBackAtMs: NEVER, isGivenUp: false };
  return new Map([...faults].map(([variant, fault]) => [variant, stays(fault) ? fault : { ...fault, ...free }]));
}

/** The model file, which was missing, has come. */
export function forgetMissingFile(faults: Faults, variant: string): Faults {
  return faults.get(variant)?.reason?.code === "model_missing" ? withFault(faults, variant, NO_FAULT) : faults;
}

function withFault(faults: Faults, variant: string, fault: Fault): Faults {
  return new Map([...faults, [variant, fault]]);
}

function quarantineMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(LONGEST_QUARANTINE_MS, FIRST_QUARANTINE_MS * 2 ** (failures - 1));
}
