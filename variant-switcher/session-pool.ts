import type { SwitcherConfig, SwitcherVariant } from "./config.ts";
import { isRefused, type OpenSession } from "./driver.ts";
import { LingeringMemory } from "./lingering-memory.ts";
import { type LoadOrder, Loads, type TellMemory } from "./loads.ts";
import { Pauses } from "./pauses.ts";
import { type OnStep, prepareSession } from "./prepare-session.ts";
import { memoryShort, planResidency, sortByWorth } from "./residency.ts";
import type { ModelSession } from "./session.ts";
import { SessionMemory } from "./session-memory.ts";
import { type Refused, SUPERSEDED } from "./session-messages.ts";
import { SpareThread } from "./spare-thread.ts";
import { type Resident, warmResident } from "./warm-resident.ts";

const MIB = 1024 * 1024;

/** `resident`: one that is in memory will do; `fresh`: it is to be made anew from the file. */
export type SessionSource = "resident" | "fresh";

export interface SessionPoolOptions {
  readonly config: Pick<SwitcherConfig, "variants" | "contract" | "golden" | "modelFolder" | "cores" | "memoryMiB">;
  /** Of the process without sessions. */
  readonly baseMiB: number;
  /** The variant at the top of those that serve, whose session must not be touched; null: none serves. */
  readonly serving: () => string | null;
  /** Variants whose sessions run a batch. */
  readonly running: () => readonly string[];
  /** The variant that a Switch is on its way to, whose session must not be touched either; null: there is none. */
  readonly incoming: () => string | null;
  /** Resolves when it disturbs nobody to take the core, or soon; at once when `signal` is aborted. */
  readonly paused: (signal: AbortSignal) => Promise<void>;
  /** A session in memory was lost while it ran nothing. */
  readonly onIdleLoss: (session: ModelSession, reason: string) => void;
  readonly workerUrl?: URL;
  readonly minWatchdogMs?: number;
}

/** A session that somebody waits for, warm for these numbers of rows. */
interface Wanted {
  readonly variant: SwitcherVariant;
  readonly batches: readonly number[];
  readonly signal: AbortSignal;
  readonly onStep: OnStep;
  /** Variants that must not go for it. */
  readonly beside: readonly string[];
}

/** The sessions in memory: warm, least recently used first to go, inside the memory budget, loaded one after the other. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #residents = new Map<string, Resident>();
  /** Others of the same variant have taken their place, but they may still serve. */
  readonly #replaced = new Set<Resident>();
  readonly #memory: SessionMemory;
  readonly #lingering = new LingeringMemory();
  readonly #loads = new Loads();
  readonly #thread = new SpareThread();
  /** What waits or loads for nobody who would be served by it now. */
  readonly #background = new Set<{ readonly variant: string; readonly abort: AbortController }>();
  /** Variants that are given up last when memory is short, the first of them after all others. */
  wanted: readonly string[] = [];

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    this.#memory = new SessionMemory(options.config.modelFolder);
  }

  isLoading(variant: string): boolean {
    return this.#loads.isLoading(variant);
  }

  get residentVariants(): readonly string[] {
    return [...this.#residents.keys()];
  }

  get isBusy(): boolean {
    return this.#loads.variants.length > 0;
  }

  /** Whether the variant is in memory and has run batches of these sizes. */
  isWarm(variant: string, batches: readonly number[]): boolean {
    return batches.every(rows => this.#usable(variant)?.warmed.has(rows) === true);
  }

  /** The session of a variant; null: there is none that can run. */
  findSession(variant: string): ModelSession | null {
    return this.#usable(variant)?.session ?? null;
  }

  resident(variant: string): Omit<Resident, "session"> | undefined {
    return this.#residents.get(variant);
  }

  /** What all sessions are taken to hold. */
  get heldMiB(): number {
    return sumMiB([...this.#residents.values(), ...this.#replaced]);
  }

  /** The part of it that neither serves nor is about to. */
  get spareMiB(): number {
    return sumMiB(this.#spare().map(([, resident]) => resident));
  }

  /** What would be given up next; null: nothing but what serves, or is about to, is in memory. */
  leastRecentlyUsed(): string | null {
    const spare = this.#spare().map(([variant, resident]) => ({ ...resident, variant }));
    return sortByWorth(spare, this.wanted)[0]?.variant ?? null;
  }

  /**
   * The variant's session for a Switch to it, warm for these numbers of rows: at once when it is resident, whatever loads meanwhile,
   * otherwise after load, verify, warm. `order`: whether it waits for what loads already.
   */
  async acquire(
    variant: SwitcherVariant,
    batches: readonly number[],
    signal: AbortSignal,
    onStep: OnStep,
    source: SessionSource = "resident",
    order: LoadOrder = "in turn",
  ): Promise<OpenSession | Refused> {
    const resident = source === "resident" ? this.#usable(variant.name) : null;
    if (resident && !this.isLoading(variant.name))
      return await this.#warm(resident, { variant, batches, signal, onStep, beside: [] });
    this.#endBackground(variant.name);
    return await this.#acquireInTurn({ variant, batches, signal, onStep, beside: [] }, source, order);
  }

  /**
   * The variant's session for no Switch: gives way, with `superseded`, to one that loads another variant. `beside`: variants that must not go
   * for it.
   */
  async acquireInBackground(
    variant: SwitcherVariant,
    batches: readonly number[],
    signal: AbortSignal,
    beside: readonly string[] = [],
  ): Promise<OpenSession | Refused> {
    const own = { variant: variant.name, abort: new AbortController() };
    this.#background.add(own);
    try {
      const ended = AbortSignal.any([signal, own.abort.signal]);
      const wanted = { variant, batches, signal: ended, onStep: () => undefined, beside };
      return await this.#acquireInTurn(wanted, "resident");
    } finally {
      this.#background.delete(own);
    }
  }

  async #acquireInTurn(
    wanted: Wanted,
    source: SessionSource,
    order: LoadOrder = "in turn",
  ): Promise<OpenSession | Refused> {
    const acquired = await this.#loads.run(wanted.variant.name, order, wanted.signal, (signal, tellMemory) =>
      this.#acquireNow({ ...wanted, signal }, source, tellMemory),
    );
    return acquired ?? SUPERSEDED;
  }

  /** Forgets a session, which ends. */
  async drop(variant: string, thread?: SpareThread): Promise<void> {
    const resident = this.#residents.get(variant);
    this.#residents.delete(variant);
    await resident?.session.close(thread);
  }

  /** Forgets this very session, which ends. */
  async dropSession(session: ModelSession): Promise<void> {
    if (this.#residents.get(session.variant)?.session === session) return await this.drop(session.variant);
    this.endReplaced(null);
  }

  /** Ends the sessions that were replaced, but for the one that serves. */
  endReplaced(serving: ModelSession | null): void {
    for (const replaced of this.#replaced) {
      if (replaced.session === serving) continue;
      this.#replaced.delete(replaced);
      void replaced.session.close();
    }
  }

  /** Ends every session, also the one that loads. */
  async close(): Promise<void> {
    await this.#loads.close();
    this.endReplaced(null);
    await Promise.all([this.#thread.close(), ...this.residentVariants.map(variant => this.drop(variant))]);
  }

  #spare(): (readonly [string, Resident])[] {
    const { serving, incoming, running } = this.#options;
    const kept = [serving(), incoming(), ...running(), ...this.#loads.variants];
    return [...this.#residents].filter(([name]) => !kept.includes(name));
  }

  async #acquireNow(wanted: Wanted, source: SessionSource, tellMemory: TellMemory): Promise<OpenSession | Refused> {
    const { variant, signal } = wanted;
    const resident = source === "resident" ? this.#usable(variant.name) : null;
    if (resident) return await this.#warm(resident, wanted);
    if (this.#residents.get(variant.name)?.session.isLost) await this.drop(variant.name);
    const pauses = new Pauses(variant.driver === "remote" ? null : () => this.#options.paused(signal));
    await pauses.wait();
    const room = this.#makeRoom(wanted, tellMemory);
    const loaded = room.then(refused => refused ?? this.#load(wanted, pauses));
    return await loaded.finally(() => this.#thread.close());
  }

  #usable(name: string): Resident | null {
    const resident = this.#residents.get(name);
    return resident && !resident.session.isLost ? resident : null;
  }

  #endBackground(unless: string): void {
    for (const other of this.#background) if (other.variant !== unless) other.abort.abort();
  }

  async #warm(resident: Resident, { batches, signal, onStep }: Wanted): Promise<OpenSession | Refused> {
    const { config, serving } = this.#options;
    const isServing = serving() === resident.session.variant;
    const session = await warmResident(resident, config.contract, batches, isServing, () => onStep("warm"));
    // Whoever has overtaken it may have needed its memory.
    return isRefused(session) && signal.aborted ? SUPERSEDED : session;
  }

  async #load({ variant, batches, signal, onStep }: Wanted, pauses: Pauses): Promise<OpenSession | Refused> {
    const { config, workerUrl, minWatchdogMs } = this.#options;
    const startMs = performance.now() - pauses.waitedMs;
    const isInSpare = this.#thread.isKept;
    const beforeMiB = process.memoryUsage.rss() / MIB;
    const neededMiB = await this.#memory.neededMiB(variant);
    const session = await prepareSession({
      open: {
        modelFolder: config.modelFolder,
        variant,
        contract: config.contract,
        threads: Math.max(1, Math.floor(config.cores)),
        spare: this.#thread,
        onLingering: ended => this.#lingering.add(ended, neededMiB),
        onIdleLoss: reason => this.#lostIdle(variant.name, reason),
        ...(workerUrl && { workerUrl }),
        ...(minWatchdogMs !== undefined && { minWatchdogMs }),
      },
      golden: config.golden,
      batches,
      signal,
      pauses,
      onStep,
    });
    if (isRefused(session)) return session;
    // While it loaded there was the file beside what the runtime made of it.
    const fileMiB = session.model.fileBytes / MIB;
    const loadMiB = Math.max(process.memoryUsage.rss() / MIB - beforeMiB, fileMiB) + fileMiB;
    if (isInSpare) await this.#memory.measuredInSpare(variant, loadMiB);
    else if (variant.driver === "onnx") this.#memory.measured(variant.name, loadMiB);
    const nowMs = performance.now();
    const before = this.#residents.get(variant.name);
    if (before) this.#replaced.add(before);
    this.#residents.set(variant.name, {
      session,
      memoryMiB: await this.#memory.neededMiB(variant),
      loadMs: nowMs - startMs - pauses.waitedMs,
      warmed: new Set(batches),
      loadedAtMs: nowMs,
      lastUsedMs: nowMs,
    });
    return session;
  }

  #lostIdle(variant: string, reason: string): void {
    for (const { session } of [...this.#residents.values(), ...this.#replaced])
      if (session.variant === variant && session.isLost) this.#options.onIdleLoss(session, reason);
  }

  async #makeRoom(wanted: Wanted, tellMemory: TellMemory): Promise<Refused | null> {
    const { signal } = wanted;
    for (;;) {
      if (signal.aborted) return SUPERSEDED;
      const refused = await this.#makeRoomNow(wanted, tellMemory);
      if (refused === null || this.#lingering.memoryMiB === 0) return refused;
      await this.#lingering.untilOneEnds(signal);
    }
  }

  async #makeRoomNow({ variant, beside }: Wanted, tellMemory: TellMemory): Promise<Refused | null> {
    const { config, baseMiB, serving, incoming, running } = this.#options;
    const incomingMiB = await this.#memory.neededMiB(variant);
    const residents = [...this.#residents.values(), ...this.#replaced].map(one => ({
      ...one,
      variant: one.session.variant,
    }));
    const promisedMiB = this.#lingering.memoryMiB + this.#loads.memoryMiBBeside(variant.name);
    const budgetMiB = Math.max(0, config.memoryMiB - baseMiB - promisedMiB);
    const others = [incoming(), ...this.#loads.variants].filter(name => name !== variant.name);
    const kept = [...new Set([serving(), ...running(), ...others, ...beside])].filter(name => name !== null);
    const plan = planResidency({ residents, incomingMiB, budgetMiB, kept, wanted: this.wanted });
    if (plan.kind === "short") return memoryShort(variant.name, incomingMiB, kept, config.memoryMiB, plan.availableMiB);
    tellMemory(incomingMiB);
    await Promise.all(plan.evict.map(name => this.drop(name, variant.driver === "onnx" ? this.#thread : undefined)));
    return null;
  }
}

function sumMiB(residents: readonly Resident[]): number {
  return residents.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
}
