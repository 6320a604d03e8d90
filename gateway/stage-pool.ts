import type { Stage } from "../domain/pipeline.ts";
import { KeptRungs } from "../domain/serving/kept-rungs.ts";
import { chooseOfTwo, type ReplicaLoad, splitRows } from "./balance.ts";
import type { Endpoint } from "./endpoint-source.ts";
import { Replica } from "./replica.ts";
import type { RowScope } from "./request-scope.ts";

/** A replica that no other one is known beside. */
const UNKNOWN_ROW_MS = 1;

/** Rows of a request that go to one replica in one call. */
export interface PlannedCall {
  readonly replica: Replica;
  readonly rows: number;
}

/** Replicas of one stage that rows may go to. */
export interface ReplicaChoice extends Pick<StagePool, "stage" | "pick" | "split" | "changed"> {
  /** The variants that requests keep by their keys; null: they keep none. */
  readonly kept: KeptRungs | null;
}

/** The replicas of one stage. */
export class StagePool {
  readonly stage: Stage;
  readonly kept: KeptRungs;
  readonly #random: () => number;
  readonly #nowMs: () => number;
  readonly #replicas = new Map<string, Replica>();
  /** Requests that wait for a replica. */
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(stage: Stage, options: { readonly random: () => number; readonly nowMs: () => number }) {
    this.stage = stage;
    this.#random = options.random;
    this.#nowMs = options.nowMs;
    this.kept = new KeptRungs(options.nowMs);
  }

  get replicas(): readonly Replica[] {
    return [...this.#replicas.values()];
  }

  get openCount(): number {
    return this.#open().length;
  }

  /** Replicas that are not in `endpoints` get no further calls; those that they have end. */
  update(endpoints: readonly Endpoint[]): void {
    const kept = new Set(endpoints.map(endpoint => endpoint.address));
    for (const [address, replica] of this.#replicas) {
      if (kept.has(address)) continue;
      this.#replicas.delete(address);
      replica.remove();
    }
    for (const endpoint of endpoints) {
      const replica = this.#replicas.get(endpoint.address);
      if (replica) replica.voter = endpoint.voter;
      else this.#replicas.set(endpoint.address, new Replica(endpoint, this.stage, this.#nowMs));
    }
    this.#wake();
  }

  /** An open replica that is not busier than others; `avoid` only where there is no other. Null: none is open. */
  pick(avoid: Replica | null): Replica | null {
    return this.#pick(this.#open(), avoid);
  }

  /** The calls for `rows` rows of one request, to replicas that differ; none where no replica is open. */
  split(rows: number): readonly PlannedCall[] {
    return this.#split(this.#open(), rows);
  }

  /** The variants that its replicas stand for in the stage's vote, also those of which none is open; none: the stage does not vote. */
  voters(): readonly string[] {
    return [...new Set(this.replicas.flatMap(({ voter }) => voter ?? []))].sort();
  }

  /** Its replicas that stand for one voter. Their rows wait for none that comes back: the others' votes count. */
  ofVoter(voter: string): ReplicaChoice {
    return this.#choose(
      () => this.#open().filter(replica => replica.voter === voter),
      async scope =>
        scope.end({ kind: "dropped", reason: "no_endpoint", message: `no replica stands for \`${voter}\`` }),
    );
  }

  /** All of its replicas, those that were not tried first. */
  untriedFirst(tried: ReadonlySet<Replica>): ReplicaChoice {
    const find = (avoid: Replica | null) => {
      const untried = this.#open().filter(replica => !tried.has(replica) && replica !== avoid);
      return untried.length > 0 ? untried : this.#open();
    };
    return this.#choose(find, scope => this.changed(scope));
  }

  /** Until a replica may have become open, or `scope` has ended. */
  async changed(scope: RowScope): Promise<void> {
    let wake = (): void => {};
    const woken = new Promise<void>(resolve => {
      wake = resolve;
    });
    this.#waiting.add(wake);
    this.#wakeAfterBackOff();
    await Promise.race([woken, scope.ended]);
    this.#waiting.delete(wake);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.update([]);
  }

  #open(): readonly Replica[] {
    return this.replicas.filter(replica => replica.isOpen);
  }

  #choose(find: (avoid: Replica | null) => readonly Replica[], changed: ReplicaChoice["changed"]): ReplicaChoice {
    const pick: ReplicaChoice["pick"] = avoid => this.#pick(find(avoid), avoid);
    const split: ReplicaChoice["split"] = rows => this.#split(find(null), rows);
    return { stage: this.stage, kept: null, pick, split, changed };
  }

  #pick(open: readonly Replica[], avoid: Replica | null): Replica | null {
    const others = open.filter(replica => replica !== avoid);
    return chooseOfTwo(this.#weigh(others.length > 0 ? others : open), this.#random)?.replica ?? null;
  }

  #split(open: readonly Replica[], rows: number): readonly PlannedCall[] {
    const calls = splitRows(rows, this.#weigh(open), this.#random);
    return calls.map(call => ({ replica: call.replica.replica, rows: call.rows }));
  }

  /** Those that are not paused, where there are any. One that has not told its time for a row counts with the mean of the stage's others. */
  #weigh(replicas: readonly Replica[]): readonly (ReplicaLoad & { readonly replica: Replica })[] {
    const known = this.replicas.flatMap(({ rowMs }) => rowMs ?? []);
    const meanRowMs = known.reduce((sum, rowMs) => sum + rowMs, 0) / known.length || UNKNOWN_ROW_MS;
    const willing = replicas.filter(replica => !replica.isPaused);
    return (willing.length > 0 ? willing : replicas).map(replica => {
      const { outstandingRows, rowMs } = replica;
      return { replica, outstandingRows, rowMs: rowMs ?? meanRowMs };
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #wakeAfterBackOff(): void {
    clearTimeout(this.#timer);
    const next = Math.min(...this.replicas.map(replica => replica.leftOutUntilMs));
    if (!Number.isFinite(next)) return;
    // A millisecond later, so that rounding does not wake before its time.
    this.#timer = setTimeout(() => this.#wake(), Math.max(1, next - this.#nowMs() + 1));
    this.#timer.unref();
  }
}
