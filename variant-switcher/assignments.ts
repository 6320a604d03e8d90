import type { Logger } from "pino";
import {
  type AssignedRung,
  type Assignment,
  compareVersions,
  findServingRungs,
  findTop,
  type NackCode,
  NO_VERSION,
  type Version,
} from "../domain/assignment.ts";
import { type Budgets, NO_BUDGETS } from "../domain/serving/deadlines.ts";
import type { SwitcherVariant } from "./config.ts";
import { chooseDefaultRungs } from "./replica-ladder.ts";
import type { Refused } from "./session-messages.ts";
import type { SwitchCause } from "./switch-history.ts";
import type { Switching, SwitchOutcome, Target } from "./switching.ts";

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
  readonly variants: readonly Pick<SwitcherVariant, "name" | "points">[];
  readonly defaultVariant: string;
  readonly logger: Logger;
  /** Keeps the Assignment for the next start. */
  readonly persist: (assignment: Assignment) => void;
}

/**
 * Decides what this switcher should serve: the pin, else the newest Assignment, else the default variant with the lightest one below it.
 * Every change goes through one Switch state machine.
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

  constructor(options: AssignmentsOptions) {
    this.#options = options;
  }

  get applied(): Assignment | null {
    return this.#applied;
  }

  get pin(): Pin | null {
    return this.#pin;
  }

  /** Milliseconds of the SLO that are planned for this stage and for those after it. */
  get budgets(): Budgets {
    return this.#applied ?? NO_BUDGETS;
  }

  /** Changes whenever the Assignment or the pin does. */
  get etag(): string {
    const { epoch, counter } = this.#applied?.version ?? NO_VERSION;
    return `"${epoch}.${counter}.${this.#pinSerial}"`;
  }

  /** What should be served now; null: not decided yet. */
  desired(): Target | null {
    if (this.#pin) return { variant: this.#pin.variant, batch: this.#pin.batch, lighter: [] };
    if (this.#applied) return createTarget(findServingRungs(this.#applied));
    return this.#started ? this.#default() : null;
  }

  /** Variants that may stand in for one that can't be served. */
  substitutes(): readonly string[] {
    return [...(this.#applied ? [this.#applied.floor] : []), this.#options.defaultVariant];
  }

  /** The decision at the start without a scaler's word: the Assignment of the last run, else the default variant. */
  async start(last: Assignment | null): Promise<void> {
    if (this.#started || this.#applied || this.#pin) return;
    this.#started = true;
    if (last && !this.#isDecided && (await this.assign(last)).kind === "done") return;
    const rungs = this.#defaultRungs();
    if (!this.#isDecided) await this.#serveFloor(rungs, "start");
    if (!this.#isDecided) await this.#switchTo(createTarget(rungs), "start");
    if (!this.#isDecided) this.#options.switching.rungs.keep(rungs.toReversed());
  }

  /** Somebody else has a say already, or is about to. */
  get #isDecided(): boolean {
    return this.#applied !== null || this.#pin !== null || this.#pending !== null;
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
    const outcome = await this.#options.switching.switchTo({ variant, batch, lighter: [] }, "pin", "force");
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

  /** Goes to an Assignment that was put off where nothing stands against it any more. */
  resumePutOff(): void {
    if (this.#closed || this.#pin || this.#pending !== null || this.#options.switching.isSwitching) return;
    this.#resume("assignment").catch((error: unknown) =>
      this.#options.logger.error({ err: error }, "could not go to the assignment"),
    );
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#pinTimer);
  }

  #change(pin: Pin | null): void {
    this.#pin = pin;
    this.#pinSerial++;
  }

  #hold(pin: Pin, ttlMs: number): void {
    this.#held = pin;
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
    const serving = findServingRungs(assignment);
    await this.#serveFloor(serving, cause);
    const target = createTarget(serving);
    const outcome = this.#isServed(target)
      ? NOTHING_DONE
      : (overtaken() ?? (await switching.switchTo(target, cause, "respect-quarantine", overtaken)));
    if (outcome.kind === "refused") return (outcome.code === "superseded" ? overtaken() : null) ?? outcome;
    const late = overtaken();
    if (late) return late;
    this.#applied = assignment;
    switching.rungs.keep(sortByImportance(assignment));
    persist(assignment);
    return outcome;
  }

  /** An Assignment that changes nothing but budgets needs no Switch. */
  #isServed(target: Target): boolean {
    const { switching } = this.#options;
    const { servedVariant, incomingVariant } = switching;
    if (servedVariant !== target.variant || (incomingVariant ?? servedVariant) !== servedVariant) return false;
    return JSON.stringify(this.desired()) === JSON.stringify(target);
  }

  /** Where nothing serves yet, the lightest rung comes first: it is there soonest. */
  async #serveFloor(rungs: readonly AssignedRung[], cause: SwitchCause): Promise<void> {
    const floor = rungs.at(-1);
    const { switching } = this.#options;
    if (floor && rungs.length > 1 && switching.servedVariant === null && !switching.isSwitching)
      await this.#switchTo(createTarget([floor]), cause);
  }

  /** Why an Assignment is not to be served any more; null: it is. */
  #overtaken({ version }: Assignment): Refused | null {
    if (compareVersions(version, this.#newest) < 0)
      return refuse("superseded", `version ${text(this.#newest)} came in between`);
    return this.#pin ? refuse("pinned", `an operator has pinned ${this.#pin.variant}`) : null;
  }

  async #switchTo(target: Target, cause: SwitchCause): Promise<void> {
    await this.#options.switching.switchTo(target, cause, "respect-quarantine");
  }

  #default(): Target {
    return createTarget(this.#defaultRungs());
  }

  #defaultRungs(): readonly AssignedRung[] {
    return chooseDefaultRungs(this.#options.variants, this.#options.defaultVariant);
  }
}

/** `rungs`: those that serve, the most accurate first. */
function createTarget([top, ...lighter]: readonly AssignedRung[]): Target {
  const { variant, maxBatch } = top as AssignedRung;
  return { variant, batch: maxBatch, lighter };
}

/** The floor first, as it serves where nothing else is in time; then the top, then the others from light to heavy. */
function sortByImportance(assignment: Assignment): readonly AssignedRung[] {
  const { rungs, floor } = assignment;
  const top = findTop(assignment);
  const first = rungs.filter(rung => rung.variant === floor && rung !== top);
  const others = rungs.filter(rung => rung !== top && rung.variant !== floor);
  return [...first, top, ...others.toReversed()];
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
