import type { Stage } from "../domain/pipeline.ts";
import { chunkRows, leastWork } from "./balance.ts";
import type { Endpoint } from "./endpoint-source.ts";
import { Replica } from "./replica.ts";
import type { RowScope } from "./request-scope.ts";
import { profiledRowMs, type Serving } from "./service-estimate.ts";

/** Replicas of one stage that rows may go to. */
export type ReplicaChoice = Pick<StagePool, "stage" | "pick" | "chunkRows" | "changed">;

/** The replicas of one stage. */
export class StagePool {
  readonly stage: Stage;
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
  }

  get replicas(): readonly Replica[] {
    return [...this.#replicas.values()];
  }

  get openCount(): number {
    let count = 0;
    for (const replica of this.#replicas.values()) if (replica.isOpen) count += 1;
    return count;
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
      if (replica) replica.update(endpoint);
      else
        this.#replicas.set(
          endpoint.address,
          new Replica(endpoint, this.stage, this.#nowMs, which => this.#guess(which)),
        );
    }
    this.#wake();
  }

  /** The open replica with the least expected work; `avoid` only where there is no other. Null: none is open. */
  pick(rows: number, avoid: Replica | null): Replica | null {
    return this.#pickOf(this.#open(), rows, avoid);
  }

  /** Rows of one call when a request brings `rows` rows. */
  chunkRows(rows: number): number {
    return chunkRowsOf(this.#open(), rows);
  }

  /** The variants that its replicas stand for in the stage's vote, also those of which none is open; none: the stage does not vote. */
  voters(): readonly string[] {
    return [...new Set(this.replicas.flatMap(({ voter }) => voter ?? []))].sort();
  }

  /** Its replicas that stand for one voter. Their rows wait for none that comes back: the others' votes count. */
  ofVoter(voter: string): ReplicaChoice {
    const open = () => this.#open().filter(replica => replica.voter === voter);
    return {
      stage: this.stage,
      pick: (rows, avoid) => this.#pickOf(open(), rows, avoid),
      chunkRows: rows => chunkRowsOf(open(), rows),
      changed: async scope => {
        scope.end({ kind: "dropped", reason: "no_endpoint", message: `no replica stands for \`${voter}\`` });
      },
    };
  }

  /** All of its replicas, those that were not tried first. */
  untriedFirst(tried: ReadonlySet<Replica>): ReplicaChoice {
    const untried = () => this.#open().filter(replica => !tried.has(replica));
    return {
      stage: this.stage,
      pick: (rows, avoid) => {
        const others = untried().filter(replica => replica !== avoid);
        return others.length > 0 ? this.#pickOf(others, rows, null) : this.pick(rows, avoid);
      },
      chunkRows: rows => {
        const open = untried();
        return open.length > 0 ? chunkRowsOf(open, rows) : this.chunkRows(rows);
      },
      changed: scope => this.changed(scope),
    };
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

  /** By profiles alone: a replica may be slow for a reason of its own. */
  #guess(which: "fastest" | "slowest"): Serving | undefined {
    const known = this.replicas
      .flatMap(({ serving }) => serving ?? [])
      .map(serving => ({ serving, rowMs: profiledRowMs(this.stage, serving) }))
      .sort((a, b) => a.rowMs - b.rowMs);
    return known.at(which === "fastest" ? 0 : -1)?.serving;
  }

  #open(): readonly Replica[] {
    return this.replicas.filter(replica => replica.isOpen);
  }

  #pickOf(open: readonly Replica[], rows: number, avoid: Replica | null): Replica | null {
    const others = open.filter(replica => replica !== avoid);
    return leastWork(others.length > 0 ? others : open, rows, this.#random);
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

function chunkRowsOf(open: readonly Replica[], rows: number): number {
  const batches = open.flatMap(replica => replica.batch ?? []);
  const rowMs = Math.min(...open.map(replica => replica.rowMs));
  return chunkRows(
    rows,
    open.length,
    Number.isFinite(rowMs) ? rowMs : 1,
    batches.length > 0 ? Math.min(...batches) : null,
  );
}
