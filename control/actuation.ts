import type { Actuation } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";

export function initialActuation(replicas: number): Actuation {
  return { replicas, waitingSinceMs: null, grewAtMs: null, leadsMs: [], stuckAt: null, stuckUntilMs: 0, stuckTimes: 0 };
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
 * with what is there until a retry, whose back-off doubles each time. One more that becomes ready ends it.
 */
export function observeActuation(actuation: Actuation, ready: number, nowMs: number): Actuation {
  const { stuckAt, waitingSinceMs } = actuation;
  if (stuckAt !== null && ready > stuckAt)
    return observeActuation({ ...actuation, stuckAt: null, stuckTimes: 0 }, ready, nowMs);
  if (ready >= actuation.replicas) return { ...actuation, waitingSinceMs: null, ...measured(actuation, nowMs) };
  // Until the retry nothing is waited for.
  if (stuckAt !== null && nowMs < actuation.stuckUntilMs) return actuation;
  if (waitingSinceMs === null) return { ...actuation, waitingSinceMs: nowMs };
  if (nowMs - waitingSinceMs < SETTINGS.stuckLeads * leadMs(actuation)) return actuation;
  const stuckTimes = actuation.stuckTimes + 1;
  const backoffMs = Math.min(SETTINGS.backoffMaxMs, SETTINGS.backoffMs * 2 ** (stuckTimes - 1));
  return { ...actuation, waitingSinceMs: null, stuckAt: ready, stuckUntilMs: nowMs + backoffMs, stuckTimes };
}

/** A replica that was away for a moment, or switchers that connect again, say nothing about how long a new one takes. */
function measured({ grewAtMs, leadsMs }: Actuation, nowMs: number): Pick<Actuation, "grewAtMs" | "leadsMs"> {
  if (grewAtMs === null) return { grewAtMs, leadsMs };
  return { grewAtMs: null, leadsMs: [...leadsMs, nowMs - grewAtMs].slice(-SETTINGS.leadSamples) };
}

/** After telling KEDA `replicas`. */
export function asking(actuation: Actuation, replicas: number, nowMs: number): Actuation {
  if (replicas === actuation.replicas) return actuation;
  return { ...actuation, replicas, grewAtMs: replicas > actuation.replicas ? nowMs : null };
}

/** Replicas of the stage were taken for stuck and have not come yet. */
export function isStuck(actuation: Actuation | undefined, nowMs: number): boolean {
  if (!actuation || actuation.stuckAt === null) return false;
  return nowMs < actuation.stuckUntilMs || actuation.waitingSinceMs !== null;
}

/**
 * Most replicas that the stage may be planned with now; null: no cap. With none ready there is none: that tells of switchers that can't be
 * reached as well as of pods that do not start, and must not take replicas away.
 */
export function stuckCap(actuation: Actuation | undefined, nowMs: number): number | null {
  if (!actuation || actuation.stuckAt === null || nowMs >= actuation.stuckUntilMs) return null;
  return actuation.stuckAt > 0 ? actuation.stuckAt : null;
}
