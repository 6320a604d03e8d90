/** Why work was not served. */
export const DROP_REASONS = [
  "queue_full",
  "deadline",
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

/** Is told what happens to work; `Counters` and the metrics are two of them. */
export interface WorkObserver {
  offered(rows: number): void;
  dropped(rows: number, reason: DropReason): void;
  /** A batch of `rows` rows ran in `serviceMs`; `waitedMs` is how long its oldest row was queued. */
  ran(variant: string, rows: number, serviceMs: number, waitedMs: number): void;
  served(rows: number): void;
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

  /** What a batch usually takes: the mean of its size, or scaled from the largest size that was seen; 0: never seen. */
  expectedMs(variant: string, rows: number): number {
    let best: ServiceTime | undefined;
    for (const time of this.#times.values()) {
      if (time.variant !== variant) continue;
      if (time.rows === rows) return time.totalMs / time.batches;
      if (!best || time.rows > best.rows) best = time;
    }
    return best ? (best.totalMs / best.batches) * Math.max(1, rows / best.rows) : 0;
  }

  offered(rows: number): void {
    this.#offeredRows += rows;
  }

  served(rows: number): void {
    this.#servedRows += rows;
  }

  dropped(rows: number): void {
    this.#droppedRows += rows;
  }

  ran(variant: string, rows: number, serviceMs: number): void {
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
    dropped: (rows, reason) => {
      for (const observer of observers) observer.dropped(rows, reason);
    },
    ran: (variant, rows, serviceMs, waitedMs) => {
      for (const observer of observers) observer.ran(variant, rows, serviceMs, waitedMs);
    },
    served: rows => {
      for (const observer of observers) observer.served(rows);
    },
  };
}
