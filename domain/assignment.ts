/** Orders assignments: a later leader has a higher epoch; within it every assignment has the next counter. */
export interface Version {
  readonly epoch: number;
  readonly counter: number;
}

/** Before the first assignment. */
export const NO_VERSION: Version = { epoch: 0, counter: 0 };

/** Below 0 when `a` is older than `b`. */
export function compareVersions(a: Version, b: Version): number {
  return a.epoch - b.epoch || a.counter - b.counter;
}

/** When a switcher protects itself: by the age of the oldest row in its queue. */
export interface Overload {
  readonly enterQueueMs: number;
  readonly exitQueueMs: number;
  readonly dwellMs: number;
}

/** What one switcher must serve now. */
export interface Assignment {
  readonly version: Version;
  readonly variant: string;
  readonly batch: number;
  /** How long an incomplete batch waits for more rows; 0: never. */
  readonly maxWaitMs: number;
  /** What the switcher may go to by itself; kept resident. */
  readonly fallbackVariant: string;
  readonly overload: Overload;
  readonly decisionId: string;
}

export const NACK_CODES = [
  "stale_version",
  "unknown_variant",
  "model_missing",
  "sha256_mismatch",
  "model_invalid",
  "contract_mismatch",
  "golden_mismatch",
  "memory_short",
  "pinned",
  "superseded",
  "shutting_down",
  "internal",
] as const;

export type NackCode = (typeof NACK_CODES)[number];

/** Codes that say the model itself can't be served: the variant is quarantined for the stage. */
export const QUARANTINE_CODES: readonly NackCode[] = [
  "model_missing",
  "sha256_mismatch",
  "model_invalid",
  "contract_mismatch",
  "golden_mismatch",
  "memory_short",
];
