/** Why work was not served. */
export const DROP_REASONS = [
  "queue_full",
  // To read it, or to put its batch together.
  "no_memory",
  // It could not have been done in time, so it was not begun.
  "would_be_late",
  // Its time was over while it waited …
  "deadline",
  // … or while it ran.
  "late",
  "cancelled",
  "not_ready",
  "wrong_variant",
  "model_failed",
  // What the model made of it breaks the stage's contract.
  "bad_outputs",
  // The server that runs the model failed, not the request.
  "remote_failed",
  "session_lost",
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

export interface ServiceTime {
  readonly variant: string;
  readonly rows: number;
  readonly batches: number;
  readonly totalMs: number;
}

/** A batch that ran. */
export interface RanBatch {
  readonly variant: string;
  readonly rows: number;
  /** Of the model alone. */
  readonly serviceMs: number;
  /** How long its oldest row was queued. */
  readonly waitedMs: number;
  /** Putting its inputs together. */
  readonly assembleMs: number;
  /** The way to the session and back. */
  readonly travelMs: number;
}

/** A request that has its answer. */
export interface ServedRequest {
  readonly variant: string;
  readonly rows: number;
  /** Until its first row ran. */
  readonly waitedMs: number;
  readonly totalMs: number;
}

export interface DroppedRequest {
  readonly rows: number;
  readonly reason: DropReason;
  /** What was served meanwhile; null: nothing was. */
  readonly variant: string | null;
  readonly totalMs: number;
}

/** The rung that the ladder would have chosen for rows that the planned variant serves. */
interface ShadowChoice {
  readonly variant: string;
  readonly rows: number;
}

/** Is told what happens to work. */
export interface WorkObserver {
  offered?(rows: number): void;
  dropped?(request: DroppedRequest): void;
  ran?(batch: RanBatch): void;
  served?(request: ServedRequest): void;
  countShadow?(choice: ShadowChoice): void;
}

/** Everything that happened since the switcher started. */
export class Counters implements WorkObserver {
  #offeredRows = 0;
  #servedRows = 0;
  #servedRequests = 0;
  readonly #dropped = new Map<DropReason, { rows: number; requests: number }>();
  readonly #lostSessions = new Map<string, number>();
  readonly #shadowRows = new Map<string, number>();
  readonly #times = new Map<string, Map<number, { batches: number; totalMs: number }>>();

  get offeredRows(): number {
    return this.#offeredRows;
  }

  get servedRows(): number {
    return this.#servedRows;
  }

  get servedRequests(): number {
    return this.#servedRequests;
  }

  get droppedRows(): number {
    return this.dropsByReason().reduce((sum, { rows }) => sum + rows, 0);
  }

  dropsByReason(): readonly { readonly reason: DropReason; readonly rows: number; readonly requests: number }[] {
    return Array.from(this.#dropped, ([reason, counts]) => ({ reason, ...counts }));
  }

  /** A session's thread crashed or hung. */
  sessionLost(variant: string): void {
    this.#lostSessions.set(variant, (this.#lostSessions.get(variant) ?? 0) + 1);
  }

  lostSessions(): ReadonlyMap<string, number> {
    return this.#lostSessions;
  }

  /** Rows that the ladder would have chosen each variant for. */
  shadowRows(): ReadonlyMap<string, number> {
    return this.#shadowRows;
  }

  /** Per variant and number of rows in a batch. */
  serviceTimes(): readonly ServiceTime[] {
    return Array.from(this.#times, ([variant, byRows]) =>
      Array.from(byRows, ([rows, time]) => ({ variant, rows, ...time })),
    ).flat();
  }

  offered(rows: number): void {
    this.#offeredRows += rows;
  }

  served({ rows }: ServedRequest): void {
    this.#servedRows += rows;
    this.#servedRequests++;
  }

  countShadow({ variant, rows }: ShadowChoice): void {
    this.#shadowRows.set(variant, (this.#shadowRows.get(variant) ?? 0) + rows);
  }

  dropped({ rows, reason }: DroppedRequest): void {
    const counts = this.#dropped.get(reason) ?? { rows: 0, requests: 0 };
    counts.rows += rows;
    counts.requests++;
    this.#dropped.set(reason, counts);
  }

  ran({ variant, rows, serviceMs }: Pick<RanBatch, "variant" | "rows" | "serviceMs">): void {
    let byRows = this.#times.get(variant);
    if (!byRows) {
      byRows = new Map();
      this.#times.set(variant, byRows);
    }
    const time = byRows.get(rows);
    if (time) {
      time.batches++;
      time.totalMs += serviceMs;
    } else byRows.set(rows, { batches: 1, totalMs: serviceMs });
  }
}

/** Tells all of them. */
export function tellAll(observers: readonly WorkObserver[]): Required<WorkObserver> {
  return {
    offered: rows => {
      for (const observer of observers) observer.offered?.(rows);
    },
    dropped: request => {
      for (const observer of observers) observer.dropped?.(request);
    },
    ran: batch => {
      for (const observer of observers) observer.ran?.(batch);
    },
    served: request => {
      for (const observer of observers) observer.served?.(request);
    },
    countShadow: choice => {
      for (const observer of observers) observer.countShadow?.(choice);
    },
  };
}
