import type { Logger } from "pino";
import type { AssignedRung, Assignment, Version } from "../../domain/assignment.ts";
import type { Batcher } from "../batcher.ts";
import type { SwitcherVariant } from "../config.ts";
import { isRefused } from "../driver.ts";
import { chooseDefaultRungs } from "../replica-ladder.ts";
import type { ModelSession } from "../session.ts";
import { type Refused, refuse } from "../session-messages.ts";
import type { SessionPool } from "../session-pool.ts";
import { reduce } from "./reduce.ts";
import {
  type AskedEvent,
  createState,
  findWakeMs,
  type Load,
  type Moment,
  type Rungs,
  type SwitchingEffect,
  type SwitchingEvent,
  type SwitchingState,
  type SwitchOutcome,
} from "./state.ts";
import { type RunningSwitch, type SwitchCause, SwitchHistory, type SwitchRecord } from "./switch-history.ts";

/** Hears what became of an Assignment, to ack or nack it. `variant`: the rung that it is about; empty: the top. */
type Listener = (version: Version, outcome: SwitchOutcome, variant: string) => void;

export interface SwitchingOptions {
  readonly variants: readonly SwitcherVariant[];
  readonly defaultVariant: string;
  readonly pool: SessionPool;
  readonly batcher: Batcher;
  readonly logger: Logger;
  readonly onSwitched: (ended: SwitchRecord) => void;
  /** Keeps the Assignment for the next start. */
  readonly persist: (assignment: Assignment) => void;
}

/** Does what `reduce()` decides: loads sessions, hands them to the batcher, answers callers; and tells it what has happened. */
export class Switching {
  readonly history = new SwitchHistory();
  readonly #options: SwitchingOptions;
  #state: SwitchingState;
  readonly #events: SwitchingEvent[] = [];
  #isReducing = false;
  readonly #callers = new Map<number, (outcome: SwitchOutcome) => void>();
  #lastCaller = 0;
  readonly #loads = new Map<number, AbortController>();
  readonly #running = new Map<number, RunningSwitch>();
  #listener: Listener = () => undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SwitchingOptions) {
    this.#options = options;
    const names = options.variants.map(({ name }) => name);
    this.#state = createState(names, chooseDefaultRungs(options.variants, options.defaultVariant));
  }

  get state(): SwitchingState {
    return this.#state;
  }

  /** The rungs that serve; null: nothing does. */
  get servedRungs(): Rungs | null {
    const { serving } = this.#options.batcher;
    return serving && [{ variant: serving.session.variant, maxBatch: serving.batch }, ...serving.lighter];
  }

  /** The most accurate variant that serves; null: none does. */
  get servedVariant(): string | null {
    return this.#options.batcher.serving?.session.variant ?? null;
  }

  listen(listener: Listener): void {
    this.#listener = listener;
  }

  /** Asks for something. Where it can't be, all stays as it was. */
  ask(event: AskedEvent, signal?: AbortSignal): Promise<SwitchOutcome> {
    return new Promise(resolve => {
      const reply = ++this.#lastCaller;
      const leave = (): void => this.tell({ kind: "leave", caller: reply });
      this.#callers.set(reply, outcome => {
        this.#callers.delete(reply);
        signal?.removeEventListener("abort", leave);
        resolve(outcome);
      });
      signal?.addEventListener("abort", leave, { once: true });
      this.tell({ ...event, reply });
      if (signal?.aborted) leave();
    });
  }

  tell(event: SwitchingEvent): void {
    this.#events.push(event);
    if (this.#isReducing) return;
    this.#isReducing = true;
    let decidedMs = performance.now();
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        const now = this.#look();
        decidedMs = now.nowMs;
        const { state, effects } = reduce(this.#state, next, now);
        this.#state = state;
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#isReducing = false;
    }
    clearTimeout(this.#timer);
    // A time that has passed since the last decision was not seen by it, and is due at once.
    const wakeMs = findWakeMs(this.#state, { ...this.#look(), nowMs: decidedMs });
    if (wakeMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.tell({ kind: "wake" }), Math.max(0, wakeMs - performance.now()));
  }

  /** A session crashed or hung. */
  handleLoss(session: ModelSession, reason: string): void {
    const { logger, pool } = this.#options;
    const { variant } = session;
    logger.error({ variant, reason }, "a session was lost");
    const inMemoryMs = pool.findAgeMs(session);
    pool.dropSession(session).catch((error: unknown) => logger.error({ err: error }, "could not end a session"));
    // A Switch that waits for the session that was lost takes over first.
    queueMicrotask(() => this.tell({ kind: "lost", variant, reason, inMemoryMs }));
  }

  #look(): Moment {
    return { nowMs: performance.now(), serving: this.servedRungs, sessions: this.#options.pool.warmed };
  }

  #perform(effect: SwitchingEffect): void {
    const { kind } = effect;
    if (kind === "load") void this.#load(effect.load);
    else if (kind === "abort") this.#loads.get(effect.load)?.abort();
    else if (kind === "begin") this.#begin(effect.id, effect.rungs, effect.cause);
    else if (kind === "finish") this.#finish(effect.id, effect.refused);
    else if (kind === "serve") void this.#serve(effect.id, effect.rungs);
    else if (kind === "tell") this.#listener(effect.version, effect.outcome, effect.variant);
    else if (kind === "persist") this.#options.persist(effect.assignment);
    else this.#callers.get(effect.reply)?.(effect.outcome);
  }

  async #load(load: Load): Promise<void> {
    const { logger, variants, pool } = this.#options;
    const abort = new AbortController();
    const { signal } = abort;
    this.#loads.set(load.id, abort);
    const onStep: RunningSwitch["step"] = step => {
      const { current } = this.#state;
      if (current?.swap === "not yet" && current.rungs[0]?.variant === load.variant && !signal.aborted)
        this.#running.get(current.id)?.step(step);
    };
    let refused: Refused | null;
    try {
      const variant = variants.find(({ name }) => name === load.variant) as SwitcherVariant;
      const session = await pool.acquire(variant, load.batches, signal, onStep, load);
      refused = isRefused(session) ? session : null;
    } catch (error) {
      logger.error({ err: error, variant: load.variant }, "could not load");
      refused = refuse("internal", `${load.variant} could not be loaded: ${String(error)}`);
    }
    if (refused && refused.code !== "superseded" && load.use === "rung")
      logger.warn({ ...refused, variant: load.variant }, "a rung is not in memory");
    this.#loads.delete(load.id);
    this.tell({ kind: "loaded", load: load.id, refused });
  }

  async #serve(id: number, rungs: Rungs): Promise<void> {
    const { pool, batcher } = this.#options;
    const [top, ...lighter] = rungs as readonly [AssignedRung, ...Rungs];
    const running = this.#running.get(id);
    const session = pool.use(top.variant);
    running?.step("swap");
    if (session) await batcher.serve({ session, batch: top.maxBatch, lighter }, running?.signal);
    this.tell({ kind: "swapped", id, isDone: session !== null && batcher.serving?.session === session });
  }

  #begin(id: number, [top]: Rungs, cause: SwitchCause): void {
    const { variant, maxBatch } = top as AssignedRung;
    this.#running.set(id, this.history.begin(this.servedVariant, variant, maxBatch, cause));
  }

  #finish(id: number, refused: Refused | null): void {
    const { batcher, logger, onSwitched, pool } = this.#options;
    const running = this.#running.get(id);
    this.#running.delete(id);
    running?.end(refused?.code ?? "done", refused?.message ?? null);
    const record = running?.record();
    const session = batcher.serving?.session ?? null;
    if (record?.cause === "reload" && refused) pool.keepReplaced(session);
    pool.endReplaced(session);
    if (!record) return;
    onSwitched(record);
    const fields = { variant: record.to, batch: record.batch, cause: record.cause, switch: record };
    if (!refused) logger.info(fields, "switched");
    else if (refused.code !== "superseded") logger.warn({ ...fields, reason: refused.message }, "could not switch");
  }
}
