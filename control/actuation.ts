import type { Actuation } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";

export function initialActuation(replicas: number): Actuation {
  return { replicas, waitingSinceMs: null, leadsMs: [], stuckAt: null, stuckUntilMs: 0, stuckTimes: 0 };
}

/** From wanting replicas to having them: the 90th percentile of what was measured, clamped. */
export function leadMs(actuation: Actuation | undefined): number {
  const sorted = [...(actuation?.leadsMs ?? [])].sort((a, b) => a - b);
  if (sorted.length === 0) return SETTINGS.leadMs;
  const p90 = sorted[Math.min(sorted.length - 1, Math.floor(0.9 * sorted.length))] ?? SETTINGS.leadMs;
  return Math.min(SETTINGS.leadMaxMs, Math.max(SETTINGS.leadMinMs, p90));
}

/**
 * Compares what was asked for with what is ready. Replicas that do not come within three leads are stuck: the stage is planned
 * with what is there until a retry, whose back-off doubles each time.
 */
export function observeActuation(actuation: Actuation, ready: number, nowMs: number): Actuation {
  const { replicas, waitingSinceMs } = actuation;
  if (ready >= replicas) {
    if (waitingSinceMs === null) return actuation;
    const leadsMs = [...actuation.leadsMs, nowMs - waitingSinceMs].slice(-SETTINGS.leadSamples);
    // What came after all is no longer stuck; while the cap is what made `ready` enough, it stays.
    const freed = actuation.stuckAt === null || ready > actuation.stuckAt;
    return { ...actuation, waitingSinceMs: null, leadsMs, ...(freed ? { stuckAt: null, stuckTimes: 0 } : {}) };
  }
  if (waitingSinceMs === null) return { ...actuation, waitingSinceMs: nowMs };
  if (nowMs - waitingSinceMs < SETTINGS.stuckLeads * leadMs(actuation)) return actuation;
  const stuckTimes = actuation.stuckTimes + 1;
  const backoffMs = Math.min(SETTINGS.backoffMaxMs, SETTINGS.backoffMs * 2 ** (stuckTimes - 1));
  return {
    ...actuation,
    waitingSinceMs: null,
    stuckAt: Math.max(1, ready),
    stuckUntilMs: nowMs + backoffMs,
    stuckTimes,
  };
}

/** Most replicas that the stage may be planned with now; null: no cap. */
export function stuckCap(actuation: Actuation | undefined, nowMs: number): number | null {
  return actuation && actuation.stuckAt !== null && nowMs < actuation.stuckUntilMs ? actuation.stuckAt : null;
}
