import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import type { LoadSample } from "../domain/load.ts";
import type { LastMinute } from "../domain/load-report.ts";

/** A sample that is older is not the load now, where the source has none so seldom that it says otherwise. */
export const LOAD_STALE_AFTER_MS = 15_000;

/** Where the load of one pipeline comes from. It gathers samples by itself, so that a slow one never delays a tick. */
export interface LoadSource {
  /** Samples since the last call, oldest first. A second that is missing stays missing. */
  take(): readonly LoadSample[];
  /** What was answered since the last call, by combination of variants; none where the source does not know. */
  takeAnswered(): readonly AccuracyEstimate[];
  /** Why it gives none now; null: it answers, or was not asked yet. */
  readonly problem: string | null;
  /** What it says of its answers although it gives them; null: nothing. */
  readonly warning: string | null;
  /** How requests ended; null: the source does not know, or gives no answer now. */
  readonly lastMinute: LastMinute | null;
  /** A sample that is older is not the load now. */
  readonly staleAfterMs: number;
  close(): void;
}
