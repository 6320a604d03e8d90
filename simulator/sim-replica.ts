import type { ReplicaLoad } from "../gateway/balance.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import type { ServiceTable } from "./service-table.ts";

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
export class SimReplica implements ReplicaLoad {
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
  outstandingRows = 0;
  rowMs = Number.POSITIVE_INFINITY;
  /** When the running batch ends; 0: none runs. */
  busyUntilMs = 0;
  runningRows = 0;
  runningSinceMs = 0;
  /** Parts of the running batch: requests and rows, the first `parts` of them. */
  parts = 0;
  readonly partRequests: number[] = [];
  readonly partRows: number[] = [];
  /** 1: with this part the request's whole chunk is done. */
  readonly partEnds: boolean[] = [];
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
    const rows = Math.min(served.batch, table.meanMs.length - 1);
    this.rowMs = (table.meanMs[rows] as number) / rows;
  }
}
