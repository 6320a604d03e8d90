import type { LoadSample } from "../domain/load.ts";

/** What was read of a span, in the time of the Prometheus. */
export interface LoadRead {
  readonly samples: readonly LoadSample[];
  /** Whole second until which all that there ever will be was read. */
  readonly readToMs: number;
  /** Values left out since they can't be rates. */
  readonly refused: number;
  /** When there may be something new. */
  readonly nextMs: number;
  /** Where there was nothing new then: the longest wait until the next try. */
  readonly retryMs: number;
  /** Why there is no load now; null: there is. */
  readonly missing: string | null;
  readonly warnings: readonly string[];
}

/** Reads one pipeline's load of a span from a Prometheus. */
export interface LoadReader {
  /** A sample that is older is not the load now. */
  readonly staleAfterMs: number;
  /** @throws VariscaleError resource_exhausted when the span should be shorter. */
  read(fromMs: number, toMs: number): Promise<LoadRead>;
}
