import type { Logger } from "pino";
import {
  type Assignment,
  compareVersions,
  type NackCode,
  NO_VERSION,
  type Overload,
  type Version,
} from "../domain/assignment.ts";
import { NO_PROTECTION, type Protection, protect } from "./protection.ts";
import type { Refused } from "./session-messages.ts";
import type { SwitchCause } from "./switch-history.ts";
import type { Switching, SwitchOutcome, Target } from "./switching.ts";

const NO_OVERLOAD: Overload = { enterQueueMs: 0, exitQueueMs: 0, dwellMs: 0 };
const DEFAULT_BATCH = 1;
const NOTHING_DONE: SwitchOutcome = { kind: "done", switchMs: 0 };

/** What an operator wants to be served, whatever the scaler says, until it expires. */
export interface Pin {
  readonly variant: string;
  readonly batch: number;
  readonly expiresAtMs: number;
}

/** Is told what became, in the end, of an Assignment that had been put off. */
type LateOutcome = (version: Version, outcome: SwitchOutcome) => void;

export interface AssignmentsOptions {
  readonly switching: Switching;
  readonly defaultVariant: string;
  readonly logger: Logger;
  /** Keeps the Assignment for the next start. */
  readonly persist: (assignment: Assignment) => void;
}

/**
 * What this switcher should serve: the pin, else the fallback while it protects itself, else the newest Assignment, else the
 * default variant. Every change goes through one Switch state machine.
 */
export class Assignments {
  readonly #options: AssignmentsOptions;
  #applied: Assignment | null = null;
  #newest: Version = NO_VERSION;
  #pending: Promise<SwitchOutcome> | null = null;
  /** The newest one, where it was refused for what does not last: a pin, or a Switch of this switcher's own. Null: there is none. */
  #putOff: Assignment | null = null;
  #onLateOutcome: LateOutcome = () => undefined;
  #started = false;
  #closed = false;
  #pin: Pin | null = null;
  /** The newest pin whose Switch was done; it holds again where a newer one can't be. */
  #held: Pin | null = null;
  #pinSerial = 0;
  #pinTimer: NodeJS.Timeout | undefined;
  #protection: Protection = NO_PROTECTION;

  constructor(options: AssignmentsOptions) {
    this.#options = options;
  }

  get applied(): Assignment | null {
    return this.#applied;
  }

  get pin(): Pin | null {
    return this.#pin;
  }

  /** Serves its fallback by its own rule. */
  get isProtecting(): boolean {
    return this.#protection.active;
  }

  /** Changes whenever the Assignment or the pin does. */
  get etag(): string {
    const { epoch, counter } = this.#applied?.version ?? NO_VERSION;
    return `"${epoch}.${counter}.${this.#pinSerial}"`;
  }

  /** What should be served now; null: not decided yet. */
  desired(): Target | null {
    if (this.#pin) return { variant: this.#pin.variant, batch: this.#pin.batch, maxWaitMs: 0 };
    const applied = this.#applied;
    if (!applied) return this.#started ? this.#default() : null;
    return { ...targetOf(applied), ...(this.isProtecting && { variant: applied.fallbackVariant }) };
  }

  /** Variants that may stand in for one that can't be served. */
  substitutes(): readonly string[] {
    return [...(this.#applied ? [this.#applied.fallbackVariant] : []), this.#options.defaultVariant];
  }

  /** The decision at the start without a scaler's word: the Assignment of the last run, else the default variant. */
  async start(last: Assignment | null): Promise<void> {
    if (this.#started || this.#applied || this.#pin) return;
    this.#started = true;
    if (last && (await this.assign(last)).kind === "done") return;
    if (!this.#applied && !this.#pin) await this.#switchTo(this.#default(), "start");
  }

  /** Applies an Assignment; the outcome is what is to be acked or nacked. */
  async assign(assignment: Assignment): Promise<SwitchOutcome> {
    const { version } = assignment;
    if (this.#closed) return refuse("shutting_down", "the switcher shuts down");
    const order = compareVersions(version, this.#newest);
    if (order < 0) return refuse("stale_version", `version ${text(version)} is older than ${text(this.#newest)}`);
    if (order === 0 && this.#pending !== null) return await this.#pending;
    if (order === 0 && this.#applied && compareVersions(version, this.#applied.version) === 0) return NOTHING_DONE;
    this.#newest = version;
    return await this.#begin(assignment, "assignment");
  }

  /** An Assignment that was refused as `pinned`, or as `superseded` by no newer one, is gone to later: `tell` gets what then becomes of it. */
  whenLate(tell: LateOutcome): void {
    this.#onLateOutcome = tell;
  }

  /** Serves `variant` for `ttlMs` whatever the scaler says. Where that can't be, all stays as it was. */
  async setPin(variant: string, batch: number, ttlMs: number): Promise<SwitchOutcome> {
    const before = this.#held;
    const pin: Pin = { variant, batch, expiresAtMs: Date.now() + ttlMs };
    this.#change(pin);
    const outcome = await this.#options.switching.switchTo({ variant, batch, maxWaitMs: 0 }, "pin", "force");
    if (outcome.kind === "refused") {
      if (this.#pin === pin) {
        this.#change(this.#held);
        if (before && !this.#held) await this.#unpin();
      }
      return outcome;
    }
    if (this.#pin === pin) this.#hold(pin, ttlMs);
    return outcome;
  }

  /** Goes back to the Assignment, or to the default variant where there is none. */
  async clearPin(): Promise<void> {
    if (!this.#pin) return;
    this.#change(null);
    this.#held = null;
    clearTimeout(this.#pinTimer);
    await this.#unpin();
  }

  /** Looks at the queue and decides whether to serve the fallback; goes to an Assignment that was put off where nothing stands against it any more. */
  guard(queueAgeMs: number, nowMs: number): void {
    this.#protect(queueAgeMs, nowMs);
    if (this.#closed || this.#pin || this.#pending !== null || this.#options.switching.isSwitching) return;
    this.#resume("assignment").catch((error: unknown) =>
      this.#options.logger.error({ err: error }, "could not go to the assignment"),
    );
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#pinTimer);
  }

  #protect(queueAgeMs: number, nowMs: number): void {
    const applied = this.#applied;
    if (this.#closed || this.#pin || !applied) return;
    const needsNone = applied.variant === applied.fallbackVariant;
    const before = this.#protection;
    this.#protection = protect(before, needsNone ? NO_OVERLOAD : applied.overload, queueAgeMs, nowMs);
    const target = this.desired();
    if (before.active === this.#protection.active || target === null) return;
    this.#options.logger.warn({ protecting: this.isProtecting, queueAgeMs, variant: target.variant }, "overload rule");
    this.#switchTo(target, "protection").catch((error: unknown) =>
      this.#options.logger.error({ err: error }, "could not protect"),
    );
  }

  #change(pin: Pin | null): void {
    this.#pin = pin;
    this.#pinSerial++;
  }

  #hold(pin: Pin, ttlMs: number): void {
    this.#held = pin;
    this.#protection = NO_PROTECTION;
    clearTimeout(this.#pinTimer);
    this.#pinTimer = setTimeout(() => this.#expire(pin), ttlMs);
  }

  /** A newer pin that is being switched to decides itself what becomes of it. */
  #expire(pin: Pin): void {
    const { logger } = this.#options;
    logger.info({ variant: pin.variant }, "the pin has expired");
    this.#held = null;
    if (this.#pin === pin) this.clearPin().catch((error: unknown) => logger.error({ err: error }, "could not unpin"));
  }

  async #unpin(): Promise<void> {
    const newest = await this.#resume("unpin");
    // Who has overtaken it decides what is served.
    if (newest === null || (newest.kind === "refused" && !isPutOff(newest)))
      await this.#switchTo(this.desired() ?? this.#default(), "unpin");
  }

  /** Goes to the Assignment that was put off; null: there is none. */
  async #resume(cause: SwitchCause): Promise<SwitchOutcome | null> {
    const assignment = this.#putOff;
    if (assignment === null) return null;
    const outcome = await this.#begin(assignment, cause);
    if (outcome.kind === "done" || !isPutOff(outcome)) this.#onLateOutcome(assignment.version, outcome);
    return outcome;
  }

  async #begin(assignment: Assignment, cause: SwitchCause): Promise<SwitchOutcome> {
    this.#putOff = null;
    const pending = this.#apply(assignment, cause);
    this.#pending = pending;
    const outcome = await pending;
    if (this.#pending === pending) this.#pending = null;
    const isNewest = compareVersions(assignment.version, this.#newest) === 0;
    if (outcome.kind === "refused" && isPutOff(outcome) && isNewest) this.#putOff = assignment;
    return outcome;
  }

  async #apply(assignment: Assignment, cause: SwitchCause): Promise<SwitchOutcome> {
    const { switching, persist } = this.#options;
    const overtaken = (): Refused | null => this.#overtaken(assignment);
    const pinned = overtaken();
    if (pinned) return pinned;
    // While it protects itself it gets the new variant ready, but goes to it only when the queue has calmed down.
    const mustWait = (): boolean => this.isProtecting && assignment.variant !== assignment.fallbackVariant;
    let outcome: SwitchOutcome = mustWait() ? await this.#prepare(assignment) : NOTHING_DONE;
    const waits = mustWait();
    if (outcome.kind === "done" && !waits)
      outcome = overtaken() ?? (await switching.switchTo(targetOf(assignment), cause, "respect-quarantine", overtaken));
    if (outcome.kind === "refused") return (outcome.code === "superseded" ? overtaken() : null) ?? outcome;
    const late = overtaken();
    if (late) return late;
    this.#applied = assignment;
    if (!waits) this.#protection = NO_PROTECTION;
    switching.keepFallback(assignment.fallbackVariant, assignment.batch);
    persist(assignment);
    return outcome;
  }

  /** Why an Assignment is not to be served any more; null: it is. */
  #overtaken({ version }: Assignment): Refused | null {
    if (compareVersions(version, this.#newest) < 0)
      return refuse("superseded", `version ${text(this.#newest)} came in between`);
    return this.#pin ? refuse("pinned", `an operator has pinned ${this.#pin.variant}`) : null;
  }

  async #prepare(assignment: Assignment): Promise<SwitchOutcome> {
    const startMs = performance.now();
    const problem = await this.#options.switching.prepare(assignment.variant, assignment.batch);
    return problem ?? { kind: "done", switchMs: performance.now() - startMs };
  }

  async #switchTo(target: Target, cause: SwitchCause): Promise<void> {
    await this.#options.switching.switchTo(target, cause, "respect-quarantine");
  }

  #default(): Target {
    return { variant: this.#options.defaultVariant, batch: DEFAULT_BATCH, maxWaitMs: 0 };
  }
}

function targetOf(assignment: Assignment): Target {
  const { variant, batch, maxWaitMs } = assignment;
  return { variant, batch, maxWaitMs };
}

/** It stands against the Assignment only for a while. */
function isPutOff({ code }: Refused): boolean {
  return code === "superseded" || code === "pinned";
}

function refuse(code: NackCode, message: string): Refused {
  return { kind: "refused", code, message };
}

function text(version: Version): string {
  return `${version.epoch}.${version.counter}`;
}
