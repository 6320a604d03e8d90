import { ChunkQueue } from "./chunk-queue.ts";
import type { ServiceTable } from "./service-table.ts";
import { type Group, regroup, type WorkIndex } from "./work-index.ts";

/** `pending`: no node has room. `draining`: gets no new work. */
export type Phase = "pending" | "starting" | "ready" | "draining" | "gone";

/** What a replica serves, or is about to. */
export interface Served {
  /** Place in the stage's variants. */
  readonly variant: number;
  readonly batch: number;
}

/** Batches of one variant and size: their number and time, as a switcher reports them. */
export interface BatchTimes {
  readonly variant: string;
  readonly rows: number;
  batches: number;
  totalMs: number;
}

/** One pod of a stage: its queue, the batch that runs, and what it serves. How it changes that is in SimSwitcher. */
export class SimReplica {
  readonly id: number;
  readonly stage: number;
  readonly pod: string;
  readonly bornMs: number;
  phase: Phase = "pending";
  /** Node that it is on; -1: none. */
  node = -1;
  /** Cores that it takes of its node. */
  cores = 0;
  served: Served | null = null;
  /** Takes over when nothing runs and no chunk is half taken; null: nothing waits to. */
  next: Served | null = null;
  readonly queue = new ChunkQueue();
  /** Rows that it was sent and has not answered. */
  outstandingRows = 0;
  /** Where the gateway looks for it; null: it gets no new work. */
  index: WorkIndex | null = null;
  /** Of the index; null: it is not in it. */
  group: Group | null = null;
  /** In the group, among those with as many rows. */
  place = -1;
  /** For balancing. */
  rowMs = Number.POSITIVE_INFINITY;
  /** Of what serves just now. */
  servedRowMs = Number.POSITIVE_INFINITY;
  /** As the gateway knows it. */
  batch = 1;
  /** When the running batch ends; 0: none runs. */
  busyUntilMs = 0;
  runningRows = 0;
  runningSinceMs = 0;
  /** Parts of the running batch: requests and rows, the first `parts` of them. */
  parts = 0;
  partRequests: number[] = [];
  partRows: number[] = [];
  /** With this part the request's whole chunk is done. */
  partEnds: boolean[] = [];
  readonly times = new Map<number, BatchTimes>();

  constructor(id: number, stage: number, pod: string, bornMs: number) {
    this.id = id;
    this.stage = stage;
    this.pod = pod;
    this.bornMs = bornMs;
  }

  get isOpen(): boolean {
    return this.phase === "ready";
  }

  /** Serves this from now on. */
  serve(served: Served, table: ServiceTable): void {
    this.served = served;
    this.servedRowMs = rowMsOf(table, served.batch);
  }

  /** From now on the gateway takes it for one that serves batches of this many rows, by this table. */
  balanceAs(table: ServiceTable, batch: number): void {
    this.index?.remove(this);
    this.batch = batch;
    this.rowMs = rowMsOf(table, batch);
    this.index?.add(this);
  }

  /** It has so many rows more. */
  gain(rows: number): void {
    if (this.group) regroup(this.group, this, rows);
    else this.outstandingRows += rows;
  }
}

function rowMsOf({ meanMs }: ServiceTable, batch: number): number {
  const rows = Math.min(batch, meanMs.length - 1);
  return (meanMs[rows] as number) / rows;
}
