import { gammaSample } from "../variant-switcher/gamma-sample.ts";
import { EVENT, type EventQueue } from "./event-queue.ts";
import { NO_VARIANT, type RequestTable } from "./request-table.ts";
import type { ServiceTable } from "./service-table.ts";
import type { SimReplica } from "./sim-replica.ts";

/** Larger than any batch: places of variants and rows are one key. */
const MOST_ROWS = 2048;

interface Columns {
  readonly requests: number[];
  readonly rows: number[];
  readonly ends: boolean[];
}

export interface SimBatcherOptions {
  readonly tables: readonly (readonly (ServiceTable | null)[])[];
  readonly events: EventQueue;
  readonly requests: RequestTable;
  /** Of service times. */
  readonly random: () => number;
  /** Rows of a request were served by the stage's variant `variant`. @param isEnd they were the last ones of their chunk. */
  readonly onRows: (
    request: number,
    stage: number,
    rows: number,
    variant: number,
    isEnd: boolean,
    nowMs: number,
  ) => void;
  /** The request could not be served in time. */
  readonly onDropped: (request: number) => void;
  /** `next` has taken over. */
  readonly onSwapped: (replica: SimReplica, nowMs: number) => void;
  /** A replica that drains has nothing left. */
  readonly onDrained: (replica: SimReplica, nowMs: number) => void;
}

/**
 * How replicas work off their queues, by the rules of the switchers (`variant-switcher/batcher.ts`): an idle one takes what waits, up to
 * its batch, at once; another variant takes over between batches; work that can't be in time is refused or gives way.
 */
export class SimBatcher {
  readonly #options: SimBatcherOptions;
  readonly #spare: Columns[] = [];

  constructor(options: SimBatcherOptions) {
    this.#options = options;
  }

  /** Lets an idle replica change what it serves, and take a batch. */
  pump(replica: SimReplica, nowMs: number): void {
    if (replica.parts > 0) return;
    const { next, queue } = replica;
    if (next && !queue.isHalfTaken) {
      replica.next = null;
      replica.serve(next, this.#table(replica.stage, next.variant));
      this.#options.onSwapped(replica, nowMs);
    }
    // What waited for a replica may have been sent to this one when it took over.
    if (replica.served && replica.parts === 0 && queue.length > 0) this.#run(replica, nowMs);
    if (replica.phase === "draining" && replica.outstandingRows === 0) this.#options.onDrained(replica, nowMs);
  }

  /** The batch that runs at the replica has ended. */
  batchDone(replica: SimReplica, nowMs: number): void {
    const parts = replica.parts;
    const { onRows } = this.#options;
    const { partRequests, partRows, partEnds } = replica;
    replica.gain(-replica.runningRows);
    replica.parts = 0;
    const served = replica.served?.variant ?? NO_VARIANT;
    this.#measure(replica, nowMs);
    // The next batch has columns of its own: this one's are still to be read.
    const spare = this.#spare.pop() ?? { requests: [], rows: [], ends: [] };
    replica.partRequests = spare.requests;
    replica.partRows = spare.rows;
    replica.partEnds = spare.ends;
    this.pump(replica, nowMs);
    for (let part = 0; part < parts; part++)
      onRows(
        partRequests[part] as number,
        replica.stage,
        partRows[part] as number,
        served,
        partEnds[part] === true,
        nowMs,
      );
    this.#spare.push({ requests: partRequests, rows: partRows, ends: partEnds });
  }

  /** As the batcher: an idle replica takes everything. */
  wouldBeLate(replica: SimReplica, rows: number, leftMs: number, nowMs: number): boolean {
    const { served, queue } = replica;
    if (!served || (replica.parts === 0 && queue.length === 0)) return false;
    const { meanMs } = this.#table(replica.stage, served.variant);
    const batch = Math.min(served.batch, meanMs.length - 1);
    const all = queue.rows + rows;
    const rest = all % batch;
    const runningMs = replica.parts > 0 ? Math.max(0, replica.busyUntilMs - nowMs) : 0;
    const doneMs = runningMs + Math.floor(all / batch) * (meanMs[batch] as number) + (meanMs[rest] as number);
    return doneMs > leftMs;
  }

  /** Takes all work from a replica that is gone: rows and chunks by request. */
  empty(replica: SimReplica): ReadonlyMap<number, { readonly rows: number; readonly chunks: number }> {
    const work = new Map<number, { rows: number; chunks: number }>();
    const take = (request: number, rows: number, chunks: number): void => {
      const before = work.get(request);
      work.set(request, { rows: (before?.rows ?? 0) + rows, chunks: (before?.chunks ?? 0) + chunks });
    };
    for (let part = 0; part < replica.parts; part++)
      take(replica.partRequests[part] as number, replica.partRows[part] as number, replica.partEnds[part] ? 1 : 0);
    while (replica.queue.length > 0) {
      take(replica.queue.request, replica.queue.rowsLeft, 1);
      replica.queue.drop();
    }
    replica.parts = 0;
    replica.gain(-replica.outstandingRows);
    return work;
  }

  #measure(replica: SimReplica, nowMs: number): void {
    const { served, runningRows, runningSinceMs } = replica;
    if (!served) return;
    const key = served.variant * MOST_ROWS + runningRows;
    const times = replica.times.get(key);
    if (times) {
      times.batches += 1;
      times.totalMs += nowMs - runningSinceMs;
    } else {
      const variant = this.#table(replica.stage, served.variant).variant.name;
      replica.times.set(key, { variant, rows: runningRows, batches: 1, totalMs: nowMs - runningSinceMs });
    }
  }

  /** Takes the next batch: rows at the head of the queue, without those of requests that are over or can't be in time. */
  #run(replica: SimReplica, nowMs: number): void {
    const { queue } = replica;
    const served = replica.served as NonNullable<SimReplica["served"]>;
    const table = this.#table(replica.stage, served.variant);
    const batch = Math.min(served.batch, table.meanMs.length - 1);
    let rows = 0;
    let parts = 0;
    while (queue.length > 0 && rows < batch) {
      if (this.#isThrownAway(replica, table, nowMs)) continue;
      const taken = Math.min(batch - rows, queue.rowsLeft);
      replica.partRequests[parts] = queue.request;
      replica.partRows[parts] = taken;
      replica.partEnds[parts] = taken === queue.rowsLeft;
      parts += 1;
      rows += taken;
      queue.take(taken);
    }
    if (rows === 0) return;
    const tookMs = gammaSample(table.meanMs[rows] as number, table.scv[rows] as number, this.#options.random);
    replica.parts = parts;
    replica.runningRows = rows;
    replica.runningSinceMs = nowMs;
    replica.busyUntilMs = nowMs + tookMs;
    this.#options.events.add(nowMs + tookMs, EVENT.batchDone, replica.id);
  }

  /** Whether the first chunk was dropped: its request is over, or would be late even now while a later one would not. */
  #isThrownAway(replica: SimReplica, table: ServiceTable, nowMs: number): boolean {
    const { queue } = replica;
    const { request, rowsLeft } = queue;
    const { requests } = this.#options;
    if (requests.failed[request] === 0) {
      const neededMs = table.meanMs[Math.min(rowsLeft, table.meanMs.length - 1)] as number;
      const deadlineMs = requests.deadlineMs[request] as number;
      const doneMs = nowMs + neededMs;
      const isExpired = nowMs > deadlineMs;
      if (!isExpired && (doneMs <= deadlineMs || doneMs > (requests.deadlineMs[queue.lastRequest] as number)))
        return false;
      this.#options.onDropped(request);
    }
    replica.gain(-rowsLeft);
    queue.drop();
    requests.leave(request);
    return true;
  }

  #table(s: number, variant: number): ServiceTable {
    return this.#options.tables[s]?.[variant] as ServiceTable;
  }
}
