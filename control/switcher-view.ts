import type { NackCode, Version } from "../domain/assignment.ts";

/** Service times of one variant at one batch size, cumulative since the switcher started. */
export interface ServiceTimes {
  readonly variant: string;
  readonly rows: number;
  readonly batches: number;
  readonly totalMs: number;
}

/** What the control loop knows of one connected switcher: its newest report. */
export interface SwitcherView {
  readonly stage: string;
  /** Unique within the stage. */
  readonly pod: string;
  readonly ready: boolean;
  /** Last assignment that it serves. */
  readonly applied: Version;
  /** The most accurate variant that it serves now: the top that it was told, once that is in memory. */
  readonly variant: string;
  readonly batch: number;
  readonly residentVariants: readonly string[];
  /** Can't be loaded now: there is no model file of theirs in its model folder. */
  readonly missingVariants: readonly string[];
  /** A pin of its admin endpoint: it refuses assignments. */
  readonly pin: { readonly variant: string; readonly batch: number } | null;
  readonly queuedRows: number;
  readonly queueAgeMs: number;
  readonly serviceTimes: readonly ServiceTimes[];
  /** Rows since the switcher started; missing: it has not said. */
  readonly servedRows?: number;
  readonly droppedRows?: number;
  /** Batches take so many times what was measured of their variants, and so many have told it since the switcher started; missing: it has not said. */
  readonly timeFactor?: number;
  readonly timedBatches?: number;
  /** Rows that the ladder would have chosen a variant for, in shadow, since the switcher started; missing: none. */
  readonly shadowRows?: readonly { readonly variant: string; readonly rows: number }[];
  /** Newest refusal. */
  readonly nack: {
    readonly version: Version;
    readonly variant: string;
    readonly code: NackCode;
    readonly message: string;
  } | null;
}
