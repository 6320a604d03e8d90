import type { SwitcherConfig, SwitcherVariant } from "./config.ts";
import { isRefused, type OpenSession } from "./driver.ts";
import { LingeringMemory } from "./lingering-memory.ts";
import { Pauses } from "./pauses.ts";
import { type OnStep, prepareSession, warmSession } from "./prepare-session.ts";
import { memoryShort, planResidency, type Resident, type ResidentSession, sortByWorth, sumMiB } from "./residency.ts";
import type { ModelSession } from "./session.ts";
import { SessionMemory } from "./session-memory.ts";
import { type Refused, SUPERSEDED } from "./session-messages.ts";
import { SpareThread } from "./spare-thread.ts";
import type { Load } from "./switching/state.ts";

const MIB = 1024 * 1024;

export interface SessionPoolOptions {
  readonly config: Pick<SwitcherConfig, "variants" | "contract" | "golden" | "modelFolder" | "cores" | "memoryMiB">;
  /** Of the process without sessions. */
  readonly baseMiB: number;
  /** The variants that serve. The session of the first one, the most accurate, must not be touched. */
  readonly serving: () => readonly string[];
  /** Variants whose sessions run a batch. */
  readonly running: () => readonly string[];
  /** Resolves when the session of a variant runs no batch. */
  readonly whenEnded: (variant: string) => Promise<void>;
  /** Variants that are about to serve, whose sessions must not be touched either. */
  readonly incoming: () => readonly string[];
  /** Variants that are given up last when memory is short, the first of them after all others. */
  readonly wanted: () => readonly string[];
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
  readonly beside: readonly string[];
}

/** The sessions in memory: warm, least recently used first to go, inside the memory budget. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #residents = new Map<string, ResidentSession>();
  /** Others of the same variant have taken their place, but they may still serve. */
  readonly #replaced = new Set<ResidentSession>();
  readonly #memory: SessionMemory;
  readonly #lingering = new LingeringMemory();
  /** The variants that are loaded or warmed now, with what resolves when that has ended. */
  readonly #loading = new Map<string, Promise<unknown>>();
  readonly #thread = new SpareThread();

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    this.#memory = new SessionMemory(options.config.modelFolder);
  }

  isLoading(variant: string): boolean {
    return this.#loading.has(variant);
  }

  get residentVariants(): readonly string[] {
    return [...this.#residents.keys()];
  }

  get isBusy(): boolean {
    return this.#loading.size > 0;
  }

  /** The variants whose sessions can run, with the numbers of rows that they are warm for. */
  get warmed(): ReadonlyMap<string, ReadonlySet<number>> {
    const usable = [...this.#residents].filter(([, { session }]) => !session.isLost);
    return new Map(usable.map(([variant, { warmed }]) => [variant, warmed]));
  }

  /** The session of a variant; null: there is none that can run. */
  findSession(variant: string): ModelSession | null {
    return this.#usable(variant)?.session ?? null;
  }

  /** The session of a variant that is about to serve; null: there is none that can run. */
  use(variant: string): ModelSession | null {
    const resident = this.#usable(variant);
    if (resident) resident.lastUsedMs = performance.now();
    return resident?.session ?? null;
  }

  resident(variant: string): Omit<ResidentSession, "session"> | undefined {
    return this.#residents.get(variant);
  }

  /** What all sessions are taken to hold. */
  get heldMiB(): number {
    return sumMiB(this.#all);
  }

  /** The part of it that neither serves nor is about to. */
  get spareMiB(): number {
    return sumMiB(this.#spare());
  }

  /** Milliseconds that a session has been in memory; 0: it is not. */
  findAgeMs(session: ModelSession): number {
    const loaded = this.#all.find(one => one.session === session);
    return loaded ? performance.now() - loaded.loadedAtMs : 0;
  }

  /** What would be given up next; null: nothing but what serves, or is about to, is in memory. */
  leastRecentlyUsed(): string | null {
    return sortByWorth(this.#spare(), this.#options.wanted())[0]?.variant ?? null;
  }

  /**
   * Makes a session of a variant, warm for these numbers of rows: at once when it is in memory, otherwise after load, verify, warm. One
   * session is made at a time, and meanwhile others may be warmed; one variant is never loaded or warmed twice at once.
   */
  async acquire(
    variant: SwitcherVariant,
    batches: readonly number[],
    signal: AbortSignal,
    onStep: OnStep,
    { isFresh = false, beside = [] }: Partial<Pick<Load, "isFresh" | "beside">> = {},
  ): Promise<OpenSession | Refused> {
    const acquired = this.#acquireNow({ variant, batches, signal, onStep, beside }, isFresh);
    this.#loading.set(
      variant.name,
      acquired.catch(() => undefined),
    );
    try {
      return await acquired;
    } finally {
      this.#loading.delete(variant.name);
    }
  }

  /** Forgets a session, which ends. */
  async drop(variant: string): Promise<void> {
    const resident = this.#residents.get(variant);
    this.#residents.delete(variant);
    await resident?.session.close();
  }

  /** Forgets this very session, which ends; one that goes to make room does so anyway. */
  async dropSession(session: ModelSession): Promise<void> {
    if (this.#residents.get(session.variant)?.session === session) await this.drop(session.variant);
    else if ([...this.#replaced].some(one => one.session === session)) this.endReplaced(null);
  }

  /** Ends the sessions that were replaced, but for the one that serves. */
  endReplaced(serving: ModelSession | null): void {
    for (const replaced of this.#replaced) {
      if (replaced.session === serving) continue;
      this.#replaced.delete(replaced);
      void replaced.session.close();
    }
  }

  /** The session that serves was to be replaced, and goes on: the one that was to take its place ends. */
  keepReplaced(serving: ModelSession | null): void {
    for (const replaced of this.#replaced) {
      if (replaced.session !== serving) continue;
      this.#replaced.delete(replaced);
      const other = this.#residents.get(serving.variant);
      this.#residents.set(serving.variant, replaced);
      void other?.session.close();
    }
  }

  /** Ends every session. Loads were aborted before, and are waited for. */
  async close(): Promise<void> {
    await Promise.all(this.#loading.values());
    this.endReplaced(null);
    await Promise.all([this.#thread.close(), ...this.residentVariants.map(variant => this.drop(variant))]);
  }

  get #all(): readonly ResidentSession[] {
    return [...this.#residents.values(), ...this.#replaced, ...this.#lingering.sessions];
  }

  #spare(): readonly Resident[] {
    const { serving, incoming, running } = this.#options;
    const kept = [...serving().slice(0, 1), ...incoming(), ...running(), ...this.#loading.keys()];
    return [...this.#residents.values()].filter(({ variant }) => !kept.includes(variant));
  }

  async #acquireNow(wanted: Wanted, isFresh: boolean): Promise<OpenSession | Refused> {
    const { variant, signal } = wanted;
    const pauses = new Pauses(variant.driver === "remote" ? null : () => this.#options.paused(signal));
    if (isFresh || this.#listCold(wanted).length > 0) await pauses.wait();
    const resident = isFresh ? null : this.#usable(variant.name);
    if (resident) return await this.#warm(resident, wanted);
    if (this.#residents.get(variant.name)?.session.isLost) await this.drop(variant.name);
    const room = this.#makeRoom(wanted);
    const loaded = room.then(refused => refused ?? this.#load(wanted, pauses));
    return await loaded.finally(() => this.#thread.close());
  }

  #usable(name: string): ResidentSession | null {
    const resident = this.#residents.get(name);
    return resident && !resident.session.isLost ? resident : null;
  }

  /** The numbers of rows to warm a session for. One that serves warms up with real work: a run of zeros would only be in its way. */
  #listCold({ variant: { name }, batches }: Wanted): readonly number[] {
    const resident = this.#usable(name);
    if (resident && this.#options.serving().includes(name)) return [];
    return batches.filter(rows => !resident?.warmed.has(rows));
  }

  async #warm(resident: ResidentSession, wanted: Wanted): Promise<OpenSession | Refused> {
    const { batches, signal, onStep } = wanted;
    const { session, warmed } = resident;
    const cold = this.#listCold(wanted);
    if (cold.length > 0) {
      onStep("warm");
      const problem = await warmSession(session, this.#options.config.contract, cold);
      // The Switch that has overtaken it may have needed its memory.
      if (problem !== null) return signal.aborted ? SUPERSEDED : problem;
    }
    for (const rows of batches) warmed.add(rows);
    resident.lastUsedMs = performance.now();
    return session;
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
        isShared: config.variants.filter(({ driver }) => driver === "onnx").length > 1,
        spare: this.#thread,
        owner: {
          onLingering: ended => this.#lingering.add(ended, neededMiB),
          onIdleLoss: reason => this.#lostIdle(variant.name, reason),
        },
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
    await this.#memory.measureLoad(variant, { beforeMiB, fileMiB: session.model.fileBytes / MIB, isInSpare });
    const nowMs = performance.now();
    const before = this.#residents.get(variant.name);
    if (before) this.#replaced.add(before);
    this.#residents.set(variant.name, {
      variant: variant.name,
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

  async #makeRoom(wanted: Wanted): Promise<Refused | null> {
    const { signal } = wanted;
    for (;;) {
      if (signal.aborted) return SUPERSEDED;
      const refused = await this.#makeRoomNow(wanted);
      if (refused === null || this.#lingering.memoryMiB === 0) return refused;
      await this.#lingering.untilOneEnds(signal);
    }
  }

  async #makeRoomNow({ variant, beside }: Wanted): Promise<Refused | null> {
    const { config, baseMiB, serving, incoming, whenEnded } = this.#options;
    const incomingMiB = await this.#memory.neededMiB(variant);
    const budgetMiB = Math.max(0, config.memoryMiB - baseMiB - this.#lingering.memoryMiB);
    const others = [...incoming(), ...this.#loading.keys()].filter(name => name !== variant.name);
    const kept = [...new Set([...serving().slice(0, 1), ...others, ...beside])];
    const plan = planResidency({ residents: this.#all, incomingMiB, budgetMiB, kept, wanted: this.#options.wanted() });
    if (plan.kind === "short") return memoryShort(variant.name, incomingMiB, kept, config.memoryMiB, plan.availableMiB);
    const thread = variant.driver === "onnx" ? this.#thread : undefined;
    const evicted = plan.evict.flatMap(name => this.#residents.get(name) ?? []);
    for (const { variant: name } of evicted) this.#residents.delete(name);
    await Promise.all(evicted.map(one => this.#lingering.end(one, whenEnded(one.variant), thread)));
    return null;
  }
}
