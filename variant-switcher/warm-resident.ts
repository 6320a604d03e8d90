import type { StageContract } from "../domain/tensor.ts";
import type { OpenSession } from "./driver.ts";
import { warmSession } from "./prepare-session.ts";
import type { Refused } from "./session-messages.ts";

/** A session in memory. */
export interface Resident {
  readonly session: OpenSession;
  readonly memoryMiB: number;
  readonly loadMs: number;
  /** When it was loaded, on the clock of performance.now(). */
  readonly loadedAtMs: number;
  /** Numbers of rows that it has run. */
  readonly warmed: Set<number>;
  lastUsedMs: number;
}

/** Warms a session for those numbers of rows that it has not run. One that serves warms up with real work: a run of zeros would only stand in its way. */
export async function warmResident(
  resident: Resident,
  contract: StageContract,
  batches: readonly number[],
  isServing: boolean,
  onWarm: () => void,
): Promise<OpenSession | Refused> {
  const { session, warmed } = resident;
  const cold = batches.filter(rows => !warmed.has(rows));
  if (cold.length > 0 && !isServing) {
    onWarm();
    const problem = await warmSession(session, contract, cold);
    if (problem !== null) return problem;
  }
  for (const rows of batches) warmed.add(rows);
  resident.lastUsedMs = performance.now();
  return session;
}
