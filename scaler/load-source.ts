import type { LoadSample } from "../domain/load.ts";

/** Where the load of one pipeline comes from. It gathers samples by itself, so that a slow one never delays a tick. */
export interface LoadSource {
  /** Samples since the last call, oldest first. A second that is missing stays missing. */
  take(): readonly LoadSample[];
  /** Why it gives none now; null: it answers, or was not asked yet. */
  readonly problem: string | null;
  close(): void;
}
