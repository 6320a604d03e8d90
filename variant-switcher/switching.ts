import type { Logger } from "pino";
import type { AssignedRung, NackCode } from "../domain/assignment.ts";
import type { Batcher } from "./batcher.ts";
import type { SwitcherVariant } from "./config.ts";
import { isRefused, type OpenSession } from "./driver.ts";
import type { LoadOrder } from "./loads.ts";
import { Losses } from "./losses.ts";
import type { OnStep } from "./prepare-session.ts";
import { Quarantine } from "./quarantine.ts";
import { batchesFor, RungLoads } from "./rung-loads.ts";
import type { ModelSession } from "./session.ts";
import type { Refused } from "./session-messages.ts";
import type { SessionPool, SessionSource } from "./session-pool.ts";
import { type RunningSwitch, type SwitchCause, SwitchHistory, type SwitchRecord } from "./switch-history.ts";

/** What to serve, and how. */
export interface Target {
  /** The most accurate rung. */
  readonly variant: string;
  readonly batch: number;
  /** The rungs below it that serve as far as they are in memory, the most accurate first. */
  readonly lighter: readonly AssignedRung[];
}

export type SwitchOutcome = { readonly kind: "done"; readonly switchMs: number } | Refused;

/** The load of a variant for a Switch, and for those after it that are to the same variant: begun again for each it might never end. */
interface SwitchLoad {
  readonly abort: AbortController;
  /** It was not begun while this is null. */
  session: Promise<OpenSession | Refused> | null;
}

interface SwitchWay {
  readonly from: SessionSource;
  /** `at once`: beside the Switch that is on its way, which goes on. */
  readonly order: LoadOrder;
  readonly refusal: () => Refused | null;
}

export interface SwitchingOptions {
  readonly variants: readonly SwitcherVariant[];
  readonly pool: SessionPool;
  readonly batcher: Batcher;
  readonly logger: Logger;
  readonly onSwitched: (ended: SwitchRecord) => void;
}

/**
 * The Switch state machine. A Switch goes through these states; the old variant serves in all of them until the last:
 *
 * - **load**: a new thread, or that of a session that made room, reads the model file once, checks that it lies inside the model folder, that its hash is the
 *   expected one and that it needs no other files, and makes a session of the very bytes that were hashed. A resident
 *   variant skips load and verify. Where memory does not allow both sessions, resident ones are given up, least recently
 *   used first; if that is not enough the Switch is refused (`memory_short`).
 * - **verify**: the model's inputs and outputs are those of the stage's contract, and golden inputs give golden outputs.
 * - **warm**: the session runs batches of the sizes that it will get, so that its first real one is not slow.
 * - **swap**: waits until the running batch has ended and lets the new one take over. The old one stays resident until its memory is
 *   needed, and ends the requests that it has begun; then it is disposed of.
 * - **done**, or **refused** with a nack code: the old variant stays, the new one's thread has ended, and a variant that is
 *   itself at fault is quarantined for a while.
 *
 * A load begins when the running batch has ended, where that is soon, and so does its warming.
 *
 * There is one Switch at a time and the newest wins: an older one ends as `superseded` in whatever state it is. When the
 * serving session is lost, the next lighter rung serves; where there is none, requests wait while a `recovery` Switch to the same variant, or
 * to one that still works, goes through the same states.
 *
 * A Switch is about the most accurate rung. The others of the ladder are loaded in the background, between Switches.
 */
export class Switching {
  readonly history = new SwitchHistory();
  readonly quarantine = new Quarantine();
  readonly rungs: RungLoads;
  readonly #options: SwitchingOptions;
  readonly #losses = new Losses();
  /** Served last, whether or not it still does; null: none was served yet. */
  #lastServed: string | null = null;
  #current: {
    readonly variant: string;
    readonly from: SessionSource;
    readonly abort: AbortController;
    readonly load: SwitchLoad;
  } | null = null;
  /** Of the Switch that stands in for it. */
  #standingIn = new AbortController();
  #closed = false;

  constructor(options: SwitchingOptions) {
    this.#options = options;
    this.rungs = new RungLoads({
      ...options,
      quarantine: this.quarantine,
      isBusy: () => this.#closed || this.#current !== null,
      judge: (variant, acquire) => this.#judge(variant, acquire),
    });
  }

  /** A Switch is on its way. */
  get isSwitching(): boolean {
    return this.#current !== null;
  }

  /** The variant that is about to serve; null: there is no Switch on its way. */
  get incomingVariant(): string | null {
    return this.#current?.variant ?? null;
  }

  /** The variant that serves or, where none does, did so last; null: none did yet. */
  get lastServedVariant(): string | null {
    return this.#lastServed;
  }

  /** All that serves now; null: nothing does. */
  get servedTarget(): Target | null {
    const { serving } = this.#options.batcher;
    return serving && { variant: serving.session.variant, batch: serving.batch, lighter: serving.lighter };
  }

  /** The most accurate variant that serves; null: none does. */
  get servedVariant(): string | null {
    return this.#options.batcher.serving?.session.variant ?? null;
  }

  /**
   * Serves `target` or says why not. `force`: tries a quarantined variant all the same. `refusal` is asked right before the swap whether
   * it is still to be served.
   */
  switchTo(
    target: Target,
    cause: SwitchCause,
    force: "force" | "respect-quarantine",
    refusal: () => Refused | null = () => null,
  ): Promise<SwitchOutcome> {
    return this.#switch(target, cause, force, { from: "resident", order: "in turn", refusal });
  }

  /** Serves `target` from a session that is made anew from the file, also where one is resident. */
  async reload(target: Target): Promise<SwitchOutcome> {
    const way = { from: "fresh", order: "in turn", refusal: () => null } as const;
    const outcome = await this.#switch(target, "reload", "force", way);
    if (outcome.kind === "done") this.rungs.takeBack();
    return outcome;
  }

  /** Serves `target` until the Switch that is on its way is done, which it neither waits for nor stops. */
  standIn(target: Target): Promise<SwitchOutcome> {
    return this.#switch(target, "recovery", "respect-quarantine", {
      from: "resident",
      order: "at once",
      refusal: () => null,
    });
  }

  async #switch(
    target: Target,
    cause: SwitchCause,
    force: "force" | "respect-quarantine",
    how: SwitchWay,
  ): Promise<SwitchOutcome> {
    if (this.#closed) return refused("shutting_down", "the switcher shuts down");
    const variant = this.#options.variants.find(({ name }) => name === target.variant);
    if (!variant) return refused("unknown_variant", this.#unknown(target.variant));
    const quarantined = this.quarantine.get(target.variant, performance.now());
    if (quarantined && force !== "force")
      return refused(quarantined.code, `${quarantined.message} (not tried again yet)`);
    const abort = new AbortController();
    const begun = { abort: how.order === "at once" ? abort : new AbortController(), session: null };
    const load = this.#takeOverLoad(target.variant, how) ?? begun;
    const current = { variant: target.variant, from: how.from, abort, load };
    if (how.order === "at once") this.#standingIn = abort;
    else {
      this.#current?.abort.abort();
      if (this.#current?.load !== load) this.#current?.load.abort.abort();
      this.#current = current;
    }
    const running = this.history.begin(this.servedVariant, target, cause);
    const outcome = await this.#run(variant, target, running, current, how);
    if (outcome.kind === "done") {
      this.#lastServed = target.variant;
      if (how.order !== "at once") this.#standingIn.abort();
    }
    this.#options.pool.endReplaced(this.#options.batcher.serving?.session ?? null);
    if (this.#current === current) this.#current = null;
    this.#finish(running, outcome);
    this.rungs.load();
    return outcome.kind === "refused" ? outcome : { kind: "done", switchMs: running.record().switchMs };
  }

  /** The load of the Switch that is on its way, where a newer one needs it too. */
  #takeOverLoad(variant: string, { from, order }: SwitchWay): SwitchLoad | null {
    const current = this.#current;
    const isSame = current?.variant === variant && current.from === "resident" && from === "resident";
    return isSame && order === "in turn" ? current.load : null;
  }

  /** A session crashed or hung. */
  lost(session: ModelSession, reason: string): void {
    this.#options.logger.error({ variant: session.variant, reason }, "a session was lost");
    this.#forget(session, reason);
    this.rungs.load();
  }

  #forget(session: ModelSession, reason: string): void {
    const { logger, pool } = this.#options;
    const { variant } = session;
    const nowMs = performance.now();
    const loadedAtMs = pool.resident(variant)?.loadedAtMs ?? nowMs;
    this.quarantine.served(variant, nowMs - loadedAtMs);
    const losses = this.#losses.tooMany(variant, this.quarantine.isOnProbation(variant), nowMs);
    if (losses > 0)
      this.quarantine.add(variant, "model_invalid", `its session was lost ${losses} times: ${reason}`, nowMs);
    pool.dropSession(session).catch((error: unknown) => logger.error({ err: error }, "could not end a session"));
  }

  close(): void {
    this.#closed = true;
    this.#current?.abort.abort();
    this.#current?.load.abort.abort();
    this.#standingIn.abort();
  }

  async #run(
    variant: SwitcherVariant,
    target: Target,
    running: RunningSwitch,
    { abort, load }: { readonly abort: AbortController; readonly load: SwitchLoad },
    how: SwitchWay,
  ): Promise<{ readonly kind: "done" } | Refused> {
    const { batcher } = this.#options;
    const { from, order } = how;
    const { signal } = abort;
    const serving = batcher.serving?.session;
    const stays = serving?.variant === variant.name && from === "resident";
    const acquire = (): Promise<OpenSession | Refused> => {
      const onStep: OnStep = step => running.step(step);
      return this.#options.pool.acquire(variant, batchesFor(target.batch), load.abort.signal, onStep, from, order);
    };
    const session = stays ? serving : await this.#load(load, signal, () => this.#judge(variant, acquire));
    if ("kind" in session) return session;
    if (signal.aborted) return refused("superseded", "a newer Switch came in between");
    const refusal = how.refusal();
    if (refusal) return refusal;
    running.step("swap");
    await batcher.serve({ session, batch: target.batch, lighter: target.lighter }, signal);
    if (batcher.serving?.session === session) return { kind: "done" };
    if (signal.aborted) return refused("superseded", "a newer Switch came in between");
    // What served has crashed while its new batch size waited.
    if (stays) return await this.#run(variant, target, running, { abort, load }, how);
    return refused("internal", `the session of ${variant.name} was lost before it could take over`);
  }

  /** Waits for the load that was taken over, and warms its session for other numbers of rows; begins it where there is none. */
  async #load(
    load: SwitchLoad,
    signal: AbortSignal,
    acquire: () => Promise<OpenSession | Refused>,
  ): Promise<OpenSession | Refused> {
    if (load.session === null) {
      load.session = acquire();
      return await load.session;
    }
    const session = await load.session;
    return isRefused(session) || signal.aborted ? session : await acquire();
  }

  /** A variant that is at fault itself is quarantined. */
  async #judge(
    variant: SwitcherVariant,
    acquire: () => Promise<OpenSession | Refused>,
  ): Promise<OpenSession | Refused> {
    try {
      const session = await acquire();
      if (isRefused(session)) this.quarantine.add(variant.name, session.code, session.message, performance.now());
      else this.quarantine.lift(variant.name);
      return session;
    } catch (error) {
      this.#options.logger.error({ err: error, variant: variant.name }, "could not load");
      return refused("internal", `${variant.name} could not be loaded: ${String(error)}`);
    }
  }

  #finish(running: RunningSwitch, outcome: { readonly kind: "done" } | Refused): void {
    const { logger, onSwitched } = this.#options;
    if (outcome.kind === "done") running.end("done", null);
    else running.end(outcome.code, outcome.message);
    const record = running.record();
    onSwitched(record);
    const fields = { variant: record.to, batch: record.batch, cause: record.cause, switch: record };
    if (outcome.kind === "done") logger.info(fields, "switched");
    else if (outcome.code !== "superseded") logger.warn({ ...fields, reason: outcome.message }, "could not switch");
  }

  #unknown(name: string): string {
    return `${name} is none of this stage's variants: ${this.#options.variants.map(variant => variant.name).join(", ")}`;
  }
}

function refused(code: NackCode, message: string): Refused {
  return { kind: "refused", code, message };
}
