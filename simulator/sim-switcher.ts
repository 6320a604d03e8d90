import type { SwitcherView } from "../control/switcher-view.ts";
import { type Assignment, compareVersions, NO_VERSION, type Version } from "../domain/assignment.ts";
import type { Stage } from "../domain/pipeline.ts";
import { NO_PROTECTION, type Protection, protect } from "../variant-switcher/protection.ts";
import { planResidency } from "../variant-switcher/residency.ts";
import type { ServiceTable } from "./service-table.ts";
import type { Served, SimReplica } from "./sim-replica.ts";

export interface SimSwitcherOptions {
  readonly replica: SimReplica;
  readonly stage: Stage;
  readonly tables: readonly (ServiceTable | null)[];
  /** Has `loaded` called after so long. */
  readonly onLoading: (replica: SimReplica, delayMs: number) => void;
  /** `next` of the replica was set. */
  readonly onNext: (replica: SimReplica) => void;
  /** Another variant serves. */
  readonly onSwitched: (replica: SimReplica) => void;
  /** Where variants have pods of their own, a new one starts for each: so long after. Null: variants are loaded into the pod. */
  readonly podStartMs: number | null;
}

interface Loading {
  readonly variant: number;
  /** When it is there; the event of an older load comes too early. */
  readonly untilMs: number;
}

/**
 * What a variant-switcher does with Assignments, by the rules of the real one: the newest wins, loading takes as long as the Profile
 * says while the old variant goes on serving, sessions stay resident inside the pod's memory, the fallback is kept resident, and the
 * overload rule is the real one's code.
 */
export class SimSwitcher {
  readonly replica: SimReplica;
  readonly #options: SimSwitcherOptions;
  readonly #resident = new Map<number, number>();
  #newest: Version = NO_VERSION;
  #assignment: Assignment | null = null;
  #applied: Assignment | null = null;
  #wanted: Served | null = null;
  #loading: Loading | null = null;
  #protection: Protection = NO_PROTECTION;

  constructor(options: SimSwitcherOptions) {
    this.replica = options.replica;
    this.#options = options;
  }

  /** Serves `assignment`, or the stage's default variant where there is none. */
  start(assignment: Assignment | null, nowMs: number): void {
    if (assignment) this.assign(assignment, nowMs);
    else this.#goTo({ variant: this.#indexOf(this.#options.stage.defaultVariant), batch: 1 }, nowMs);
  }

  assign(assignment: Assignment, nowMs: number): void {
    if (compareVersions(assignment.version, this.#newest) <= 0) return;
    this.#newest = assignment.version;
    this.#assignment = assignment;
    const variant = this.#protection.active ? assignment.fallbackVariant : assignment.variant;
    this.#goTo({ variant: this.#indexOf(variant), batch: assignment.batch }, nowMs);
  }

  /** A load that was asked for may be over. */
  loaded(nowMs: number): void {
    const loading = this.#loading;
    if (!loading || nowMs < loading.untilMs) return;
    this.#loading = null;
    this.#admit(loading.variant, nowMs);
    if (this.#wanted?.variant === loading.variant) this.#swap(this.#wanted);
    else this.#keepFallback(nowMs);
  }

  /** `next` has taken over. */
  swapped(nowMs: number): void {
    const { served } = this.replica;
    if (served) this.#resident.set(served.variant, nowMs);
    const assignment = this.#assignment;
    if (assignment && served && this.#serves(assignment, served)) this.#applied = assignment;
    if (served) this.#tellGateway(served);
    this.#options.onSwitched(this.replica);
    this.#keepFallback(nowMs);
  }

  /** The overload rule. */
  check(nowMs: number): void {
    const applied = this.#applied;
    if (!applied) return;
    const before = this.#protection.active;
    if (applied.variant === applied.fallbackVariant) this.#protection = NO_PROTECTION;
    else this.#protection = protect(this.#protection, applied.overload, this.replica.queue.ageMs(nowMs), nowMs);
    const { active } = this.#protection;
    if (active === before) return;
    const variant = active ? applied.fallbackVariant : applied.variant;
    this.#goTo({ variant: this.#indexOf(variant), batch: applied.batch }, nowMs);
  }

  /** Its report. */
  view(nowMs: number): SwitcherView {
    const { replica, tables, stage } = this.#options;
    const { served } = replica;
    return {
      stage: stage.name,
      pod: replica.pod,
      ready: replica.phase === "ready",
      applied: this.#applied?.version ?? NO_VERSION,
      variant: served ? (tables[served.variant]?.variant.name ?? "") : "",
      batch: served?.batch ?? 1,
      residentVariants: [...this.#resident.keys()].map(variant => tables[variant]?.variant.name ?? ""),
      missingVariants: [],
      protecting: this.#protection.active,
      pin: null,
      queuedRows: replica.queue.rows,
      queueAgeMs: replica.queue.ageMs(nowMs),
      // Read within the tick: nobody holds them while they go on.
      serviceTimes: [...replica.times.values()],
      nack: null,
    };
  }

  /** Answers say what serves, or where it just protects itself what it goes back to (`variant-switcher/lasting.ts`). */
  #tellGateway(served: Served): void {
    const applied = this.#applied;
    const isFallback = applied !== null && served.variant === this.#indexOf(applied.fallbackVariant);
    const variant = isFallback ? this.#indexOf(applied.variant) : served.variant;
    const batch = isFallback ? applied.batch : served.batch;
    this.replica.balanceAs(this.#options.tables[variant] as ServiceTable, batch);
  }

  #serves(assignment: Assignment, served: Served): boolean {
    const name = this.#options.tables[served.variant]?.variant.name;
    return name === assignment.variant || (this.#protection.active && name === assignment.fallbackVariant);
  }

  #goTo(wanted: Served, nowMs: number): void {
    this.#wanted = wanted;
    const { variant } = wanted;
    if (this.#resident.has(variant)) {
      this.#loading = null;
      this.#swap(wanted);
      return;
    }
    this.replica.next = null;
    if (this.#loading?.variant === variant) return;
    this.#load(variant, nowMs);
  }

  #load(variant: number, nowMs: number): void {
    const { podStartMs, tables, onLoading } = this.#options;
    // The replica's own first pod has started already.
    const startMs = this.replica.served === null ? 0 : (podStartMs ?? 0);
    const delayMs = startMs + (tables[variant]?.loadMs ?? 0);
    this.#loading = { variant, untilMs: nowMs + delayMs };
    onLoading(this.replica, delayMs);
  }

  #swap(wanted: Served): void {
    this.replica.next = wanted;
    this.#options.onNext(this.replica);
  }

  #keepFallback(nowMs: number): void {
    const fallback = this.#assignment?.fallbackVariant;
    if (fallback === undefined || this.#loading || this.#options.podStartMs !== null) return;
    const variant = this.#indexOf(fallback);
    if (!this.#resident.has(variant) && this.#fits(variant) !== null) this.#load(variant, nowMs);
  }

  #admit(variant: number, nowMs: number): void {
    if (this.#options.podStartMs !== null) this.#resident.clear();
    for (const name of this.#fits(variant) ?? []) this.#resident.delete(this.#indexOf(name));
    this.#resident.set(variant, nowMs);
  }

  /** Variants that must go so that one more fits; null: it does not. */
  #fits(incoming: number): readonly string[] | null {
    const { tables, stage } = this.#options;
    const nameOf = (variant: number): string => tables[variant]?.variant.name ?? "";
    const serving = this.replica.served?.variant;
    const residency = planResidency({
      residents: [...this.#resident].map(([variant, lastUsedMs]) => ({
        variant: nameOf(variant),
        memoryMiB: tables[variant]?.memoryMiB ?? 0,
        lastUsedMs,
      })),
      incomingMiB: tables[incoming]?.memoryMiB ?? 0,
      budgetMiB: stage.memoryMiB,
      kept: serving === undefined ? [] : [nameOf(serving)],
      fallback: this.#assignment?.fallbackVariant ?? null,
    });
    return residency.kind === "fits" ? residency.evict : null;
  }

  #indexOf(name: string): number {
    return this.#options.stage.variants.findIndex(variant => variant.name === name);
  }
}
