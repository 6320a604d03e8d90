import type { Pipeline } from "../domain/pipeline.ts";
import type { Actuation, ControlState } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";

export function initialActuation(replicas: number): Actuation {
  return {
    replicas,
    waitingSinceMs: null,
    readyMost: 0,
    growth: [],
    leadsMs: [],
    stuckAt: null,
    stuckUntilMs: 0,
    stuckTimes: 0,
  };
}

/** From wanting replicas to having them: the 90th percentile of what was measured, clamped. */
export function leadMs(actuation: Actuation | undefined): number {
  const sorted = [...(actuation?.leadsMs ?? [])].sort((a, b) => a - b);
  if (sorted.length === 0) return SETTINGS.leadMs;
  const p90 = sorted[Math.min(sorted.length - 1, Math.floor(0.9 * sorted.length))] ?? SETTINGS.leadMs;
  return Math.min(SETTINGS.leadMaxMs, Math.max(SETTINGS.leadMinMs, p90));
}

/**
 * Compares what was asked for with what is ready. Where none of the missing replicas comes for three leads, and for three minutes, they are
 * stuck: the stage is planned with what is there until a retry. Back-off and patience double each time, so that what starts slowly has
 * its time in the end. One more that becomes ready ends it.
 */
export function observeActuation(before: Actuation, ready: number, nowMs: number): Actuation {
  const actuation = measured(before, ready, nowMs);
  const { stuckAt, waitingSinceMs, readyMost } = actuation;
  if (stuckAt !== null && ready > stuckAt)
    return observeActuation({ ...actuation, stuckAt: null, stuckTimes: 0 }, ready, nowMs);
  if (ready >= actuation.replicas) return { ...actuation, waitingSinceMs: null };
  // Until the retry nothing is waited for.
  if (stuckAt !== null && nowMs < actuation.stuckUntilMs) return actuation;
  if (waitingSinceMs === null || ready > readyMost) return { ...actuation, waitingSinceMs: nowMs, readyMost: ready };
  if (nowMs - waitingSinceMs < patienceMs(actuation)) return actuation;
  const stuckTimes = actuation.stuckTimes + 1;
  const backoffMs = Math.min(SETTINGS.backoffMaxMs, SETTINGS.backoffMs * 2 ** (stuckTimes - 1));
  return { ...actuation, waitingSinceMs: null, stuckAt: ready, stuckUntilMs: nowMs + backoffMs, stuckTimes };
}

function patienceMs(actuation: Actuation): number {
  const leastMs = SETTINGS.stuckAfterMs * 2 ** actuation.stuckTimes;
  return Math.min(SETTINGS.backoffMaxMs, Math.max(SETTINGS.stuckLeads * leadMs(actuation), leastMs));
}

/** A replica that was away for a moment, or switchers that connect again, say nothing about how long a new one takes. */
function measured(actuation: Actuation, ready: number, nowMs: number): Actuation {
  const came = actuation.growth.filter(step => step.from < ready);
  if (came.length === 0) return actuation;
  const missing = actuation.growth.filter(step => step.replicas > ready);
  return {
    ...actuation,
    growth: missing.map(step => ({ ...step, from: Math.max(step.from, ready) })),
    leadsMs: [...actuation.leadsMs, ...came.map(step => nowMs - step.atMs)].slice(-SETTINGS.leadSamples),
  };
}

/** After telling KEDA `replicas`. */
export function asking(actuation: Actuation, replicas: number, nowMs: number): Actuation {
  const { replicas: from, growth } = actuation;
  if (replicas === from) return actuation;
  if (replicas > from) return { ...actuation, replicas, growth: [...growth, { atMs: nowMs, from, replicas }] };
  const stillAsked = growth.filter(step => step.from < replicas);
  return {
    ...actuation,
    replicas,
    growth: stillAsked.map(step => ({ ...step, replicas: Math.min(step.replicas, replicas) })),
  };
}

/** Replicas of the stage were taken for stuck and have not come yet. */
export function isStuck(actuation: Actuation | undefined, nowMs: number): boolean {
  if (!actuation || actuation.stuckAt === null) return false;
  return nowMs < actuation.stuckUntilMs || actuation.waitingSinceMs !== null;
}

/** Names of those whose replicas are stuck. */
export function stuckStages(
  { stages }: Pipeline,
  actuations: ControlState["actuations"],
  nowMs: number,
): readonly string[] {
  return stages.map(({ name }) => name).filter(name => isStuck(actuations[name], nowMs));
}

/**
 * Most replicas that the stage may be planned with now; null: no cap. With none ready there is none: that tells of switchers that can't be
 * reached as well as of pods that do not start, and must not take replicas away.
 */
export function stuckCap(actuation: Actuation | undefined, nowMs: number): number | null {
  if (!actuation || actuation.stuckAt === null || nowMs >= actuation.stuckUntilMs) return null;
  return actuation.stuckAt > 0 ? actuation.stuckAt : null;
}
