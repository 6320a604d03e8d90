import type { Overload } from "../domain/assignment.ts";

/** Whether the switcher protects itself by serving its fallback. */
export interface Protection {
  readonly active: boolean;
  /** Since when the queue has been short enough to go back; null: it is not. */
  readonly calmSinceMs: number | null;
  /** When it last went back; null: never. */
  readonly leftAtMs: number | null;
  /** The dwell time is doubled this often. */
  readonly doublings: number;
}

export const NO_PROTECTION: Protection = { active: false, calmSinceMs: null, leftAtMs: null, doublings: 0 };

const MOST_DOUBLINGS = 4;

/**
 * The overload rule. On when the oldest queued row is older than `enterQueueMs` (0: never on), off when it has been younger
 * than `exitQueueMs` for the dwell time. Whoever needs protection again within two dwell times of leaving it stays twice as
 * long each time, up to 16 times, so that a load that the assigned variant can't bear does not make it change to and fro.
 *
 * Worked example, enter 100, exit 20, dwell 1000: age 150 → on; age 10 for 1000 ms → off; age 120 within 2000 ms → on, and off
 * after 2000 ms of calm.
 */
export function protect(state: Protection, overload: Overload, queueAgeMs: number, nowMs: number): Protection {
  if (overload.enterQueueMs <= 0) return state.active ? NO_PROTECTION : state;
  const dwellMs = overload.dwellMs * 2 ** state.doublings;
  if (!state.active) {
    if (queueAgeMs <= overload.enterQueueMs) return state;
    const again = state.leftAtMs !== null && nowMs - state.leftAtMs < 2 * dwellMs;
    const doublings = again ? Math.min(MOST_DOUBLINGS, state.doublings + 1) : 0;
    return { active: true, calmSinceMs: null, leftAtMs: state.leftAtMs, doublings };
  }
  if (queueAgeMs >= overload.exitQueueMs && queueAgeMs > 0) return { ...state, calmSinceMs: null };
  const calmSinceMs = state.calmSinceMs ?? nowMs;
  if (nowMs - calmSinceMs < dwellMs) return { ...state, calmSinceMs };
  return { active: false, calmSinceMs: null, leftAtMs: nowMs, doublings: state.doublings };
}
