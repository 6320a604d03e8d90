import type { SwitcherView } from "../control/switcher-view.ts";
import {
  type AssignedRung,
  type Assignment,
  compareVersions,
  findServingRungs,
  NO_VERSION,
  type Version,
} from "../domain/assignment.ts";
import type { Stage } from "../domain/pipeline.ts";
import { NO_BUDGETS } from "../domain/serving/deadlines.ts";
import { chooseDefaultRungs } from "../variant-switcher/replica-ladder.ts";
import { planResidency } from "../variant-switcher/residency.ts";
import type { ServiceTable } from "./service-table.ts";
import type { Served, SimReplica } from "./sim-replica.ts";

export interface SimSwitcherOptions {
  readonly replica: SimReplica;
  readonly stage: Stage;
  readonly tables: readonly (ServiceTable | null)[];
  /** Has `loaded` called after so long. */
  readonly onLoading: (replica: SimReplica, delayMs: number) => void;
  /** The rungs that may serve have changed. @param isOther the most accurate of them has. */
  readonly onServing: (replica: SimReplica, isOther: boolean) => void;
  /** Where variants have pods of their own, a new one starts for each: so long after. Null: variants are loaded into the pod. */
  readonly podStartMs: number | null;
}

interface Loading {
  readonly variant: string;
  /** When it is there; the event of an older load comes too early. */
  readonly untilMs: number;
}

/**
 * Follows Assignments by the rules of the variant-switcher: the newest wins; rungs are loaded one after the other, as
 * long as the Profile says and as far as the pod's memory allows; what served before goes on until the top is in memory, or lighter rungs do
 * where that has no room beside it, and where nothing did the floor is loaded first.
 */
export class SimSwitcher {
  readonly replica: SimReplica;
  readonly #options: SimSwitcherOptions;
  readonly #tables: ReadonlyMap<string, ServiceTable>;
  /** Variants in memory, and when they last could serve. */
  readonly #resident = new Map<string, number>();
  #goal: Assignment;
  #applied: Version = NO_VERSION;
  #loading: Loading | null = null;

  constructor(options: SimSwitcherOptions) {
    this.replica = options.replica;
    this.#options = options;
    this.#tables = new Map(options.tables.flatMap(table => (table ? [[table.variant.name, table]] : [])));
    this.#goal = findGoalAlone(options.stage);
  }

  /** Serves `assignment`, or the stage's default variant where there is none. */
  start(assignment: Assignment | null, nowMs: number): void {
    this.#pursue(assignment ?? this.#goal, nowMs);
  }

  assign(assignment: Assignment, nowMs: number): void {
    if (compareVersions(assignment.version, this.#goal.version) > 0) this.#pursue(assignment, nowMs);
  }

  /** A load that was asked for may be over. */
  loaded(nowMs: number): void {
    const loading = this.#loading;
    if (!loading || nowMs < loading.untilMs) return;
    this.#loading = null;
    // Where variants have pods of their own, the one before ends.
    if (this.#options.podStartMs !== null) this.#resident.clear();
    this.#resident.set(loading.variant, nowMs);
    this.#serve(nowMs);
    this.#loadNext(nowMs);
  }

  /** Its report. */
  view(nowMs: number): SwitcherView {
    const { replica, stage } = this.#options;
    const { top, waiting } = replica;
    return {
      stage: stage.name,
      pod: replica.pod,
      ready: replica.phase === "ready",
      applied: this.#applied,
      variant: top?.table.variant.name ?? "",
      batch: top?.maxBatch ?? 1,
      residentVariants: [...this.#resident.keys()],
      missingVariants: [],
      pin: null,
      queuedRows: waiting.rows,
      queueAgeMs: waiting.calls.reduce((most, { addedMs }) => Math.max(most, nowMs - addedMs), 0),
      // Read within the tick: nobody holds them while they go on.
      serviceTimes: [...replica.serviceTimes.values()],
      timeFactor: replica.batchTimes.factor,
      timedBatches: replica.batchTimes.batches,
      nack: null,
    };
  }

  #pursue(goal: Assignment, nowMs: number): void {
    this.#goal = goal;
    this.replica.budgets = goal;
    if (this.#loading && !this.#isStillWanted(this.#loading.variant)) this.#loading = null;
    this.#serve(nowMs);
    if (this.#loading === null) this.#loadNext(nowMs);
  }

  /** Loads give way to that of the top where something serves already. */
  #isStillWanted(loading: string): boolean {
    const { rungs, top } = this.#goal;
    if (this.replica.top !== null && !this.#resident.has(top)) return loading === top;
    return rungs.some(({ variant }) => variant === loading);
  }

  /** Loads the first of the wanted variants that is not in memory and has room there. */
  #loadNext(nowMs: number): void {
    const { podStartMs, onLoading } = this.#options;
    const variant = this.#listToLoad().find(name => !this.#resident.has(name) && this.#makeRoom(name, nowMs));
    if (variant === undefined) return;
    // The replica's own first pod has started already.
    const startMs = this.replica.top === null ? 0 : (podStartMs ?? 0);
    const delayMs = startMs + (this.#tables.get(variant)?.loadMs ?? 0);
    this.#loading = { variant, untilMs: nowMs + delayMs };
    onLoading(this.replica, delayMs);
  }

  #listToLoad(): readonly string[] {
    const { top } = this.#goal;
    if (this.#options.podStartMs !== null) return [top];
    const byWorth = this.#listByWorth();
    return this.replica.top === null ? byWorth : [top, ...byWorth];
  }

  /** The floor first, as it serves where nothing else is in time; then the top, then the others from light to heavy. */
  #listByWorth(): readonly string[] {
    const { rungs, top, floor } = this.#goal;
    return [...new Set([floor, top, ...rungs.map(({ variant }) => variant).toReversed()])];
  }

  /** Takes variants out of memory that matter less than `incoming`; false: it does not fit all the same. */
  #makeRoom(incoming: string, nowMs: number): boolean {
    if (this.#options.podStartMs !== null) return true;
    const wanted = this.#listByWorth();
    const memoryMiB = (variant: string): number => this.#tables.get(variant)?.memoryMiB ?? 0;
    const residents = [...this.#resident].map(([variant, lastUsedMs]) => ({
      variant,
      lastUsedMs,
      memoryMiB: memoryMiB(variant),
    }));
    const [incomingMiB, budgetMiB] = [memoryMiB(incoming), this.#options.stage.memoryMiB];
    const plans = this.#listKept(incoming, wanted).map(kept =>
      planResidency({ residents, incomingMiB, budgetMiB, kept, wanted }),
    );
    const residency = plans.find(plan => plan.kind === "fits");
    if (!residency) return false;
    for (const variant of residency.evict) this.#resident.delete(variant);
    if (residency.evict.length > 0) this.#serve(nowMs);
    return true;
  }

  /** Variants that must stay in memory, of which the first that leave room are taken. A top leaves the floor and what serves or, in its place, a lighter rung. */
  #listKept(incoming: string, wanted: readonly string[]): readonly (readonly string[])[] {
    const served = listNames(this.replica.rungs);
    const serving = served.slice(0, 1);
    if (incoming !== this.#goal.top) return [[...serving, ...wanted.slice(0, wanted.indexOf(incoming))]];
    const { floor } = this.#goal;
    const before = served.includes(floor) ? [] : listNames(this.#findFloorBefore());
    const floors = [floor, ...before].filter(variant => this.#resident.has(variant));
    const lighter = listNames(this.#findLighter());
    const kept = lighter.length === 0 ? serving : [...serving, ...floors];
    return [kept, ...lighter.map(variant => [variant, ...lighter.slice(-1)])];
  }

  /** The rungs in memory below the top that may serve in the place of a heavier one, with the floor of before where the new one is not there. */
  #findLighter(): readonly Served[] {
    const lighter = this.#findResident(findServingRungs(this.#goal).slice(1));
    if (this.#resident.has(this.#goal.floor)) return lighter;
    return [...lighter, ...this.#findFloorBefore().filter(({ table }) => !lighter.some(rung => rung.table === table))];
  }

  /** The lightest rung that serves below another one, unless it is below the floor that is set, or a top is to serve alone. */
  #findFloorBefore(): readonly Served[] {
    const isAlone = findServingRungs(this.#goal).length === 1;
    const lighter = isAlone ? [] : this.replica.rungs.slice(1);
    const inMemory = lighter.filter(({ table }) => this.#resident.has(table.variant.name));
    return inMemory.slice(-1).filter(({ table }) => !this.#goal.belowFloor.includes(table.variant.name));
  }

  /** Finds the rungs that serve now: those of before until the top is in memory, or where the top of before has gone to make room, those below it. */
  #findServing(): readonly Served[] {
    const { rungs, top } = this.replica;
    const stillThere = rungs.filter(({ table }) => this.#resident.has(table.variant.name));
    if (this.#resident.has(this.#goal.top) || stillThere.length === 0)
      return this.#findResident(findServingRungs(this.#goal));
    return stillThere[0] === top ? stillThere : this.#findLighter();
  }

  #serve(nowMs: number): void {
    const { replica, onServing } = this.#options;
    const { rungs, top, version } = this.#goal;
    if (this.#resident.has(top)) this.#applied = version;
    const before = replica.top;
    const serving = this.#findServing();
    if (serving.length === 0) return;
    for (const { table } of serving) this.#resident.set(table.variant.name, nowMs);
    const others = this.#findResident(rungs).filter(({ table }) => !serving.some(rung => rung.table === table));
    replica.serve(serving, others);
    onServing(replica, before?.table !== replica.top?.table);
  }

  #findResident(rungs: readonly AssignedRung[]): readonly Served[] {
    return rungs.flatMap(({ variant, maxBatch }) => {
      const table = this.#resident.has(variant) ? this.#tables.get(variant) : undefined;
      return table ? [{ table, maxBatch }] : [];
    });
  }
}

function listNames(rungs: readonly Served[]): readonly string[] {
  return rungs.map(({ table }) => table.variant.name);
}

/** Stands for an Assignment in a pod that no scaler has told anything. */
function findGoalAlone({ variants, defaultVariant }: Stage): Assignment {
  const measured = variants.map(({ name, profile }) => ({ name, points: profile?.points ?? [] }));
  const rungs = chooseDefaultRungs(measured, defaultVariant);
  const floor = rungs.at(-1)?.variant ?? defaultVariant;
  const told = { ...NO_BUDGETS, shadow: false, belowFloor: [], decisionId: "" };
  return { version: NO_VERSION, rungs, top: defaultVariant, floor, ...told };
}
