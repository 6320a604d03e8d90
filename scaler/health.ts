/** Not ready where nothing is heard of the thread that answers KEDA: it says every second that it goes on. */
const SILENT_MS = 5000;

/** How long ago, in milliseconds, what must go on in a scaler was last known to. */
export interface Ages {
  readonly loopAgeMs: number;
  /** Of the thread that answers KEDA; 0 where that is the loop's own. */
  readonly kedaAgeMs: number;
}

/** Whether the process should be left running: false where it hangs, and only another one would go on. */
export function isAlive({ loopAgeMs, kedaAgeMs }: Ages, staleAfterMs: number): boolean {
  return Math.max(loopAgeMs, kedaAgeMs) <= staleAfterMs;
}

/** Whether KEDA should be sent here. A loop that hangs does not matter until what it decided is stale. */
export function isKedaAnswered({ kedaAgeMs }: Ages): boolean {
  return kedaAgeMs <= SILENT_MS;
}
