/** Why work was not served. */
export const DROP_REASONS = [
  "queue_full",
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

/** Is told what happens to work. */
export interface WorkObserver {
  offered(rows: number): void;
  dropped(request: DroppedRequest): void;
  ran(batch: RanBatch): void;
  served(request: ServedRequest): void;
}

/** Everything that happened since the switcher started. */
export class Counters implements WorkObserver {
  #offeredRows = 0;
  #servedRows = 0;
  #droppedRows = 0;
  readonly #times = new Map<string, { variant: string; rows: number; batches: number; totalMs: number }>();

  get offeredRows(): number {
    return this.#offeredRows;
  }

  get servedRows(): number {
    return this.#servedRows;
  }

  get droppedRows(): number {
    return this.#droppedRows;
  }

  /** Per variant and number of rows in a batch. */
  serviceTimes(): readonly ServiceTime[] {
    return Array.from(this.#times.values(), time => ({ ...time }));
  }

  offered(rows: number): void {
    this.#offeredRows += rows;
  }

  served({ rows }: ServedRequest): void {
    this.#servedRows += rows;
  }

  dropped({ rows }: DroppedRequest): void {
    this.#droppedRows += rows;
  }

  ran({ variant, rows, serviceMs }: Pick<RanBatch, "variant" | "rows" | "serviceMs">): void {
    const key = `${variant}/${rows}`;
    const time = this.#times.get(key) ?? { variant, rows, batches: 0, totalMs: 0 };
    time.batches++;
    time.totalMs += serviceMs;
    this.#times.set(key, time);
  }
}

/** Tells all of them. */
export function tellAll(observers: readonly WorkObserver[]): WorkObserver {
  return {
    offered: rows => {
      for (const observer of observers) observer.offered(rows);
    },
    dropped: request => {
      for (const observer of observers) observer.dropped(request);
    },
    ran: batch => {
      for (const observer of observers) observer.ran(batch);
    },
    served: request => {
      for (const observer of observers) observer.served(request);
    },
  };
}
