import type { ServiceTime } from "./service-time.ts";

/** Windows of one batch size agree when the slower one is not slower by more than this share and this time together. */
export const AGREEMENT = 0.1;
/** Less than the way of a batch into the thread of its session and back takes. */
export const AGREEMENT_MS = 0.02;

/** Windows that agree but for this time and the share are two of the same; others of short batches are looked at again. */
const SURE_MS = 0.002;

/** Service time of one batch size, from windows some time apart. */
export interface SettledTime extends ServiceTime {
  /** How much slower the second fastest window was than the fastest, as a share; 0 where there is one window alone. */
  readonly spread: number;
  /** Whether two windows agree at least: only then is the time that of the model and not that of a neighbour. */
  readonly isSettled: boolean;
  /** Whether two are as near each other as those of long batches have to be: one more window would tell nothing new. */
  readonly isSure: boolean;
}

/**
 * A neighbour only ever makes a window slower: by its use of caches, hyper-threads and of the clock's room, which CPU time does not show
 * either. So the fastest window is the one to confirm, and the windows next to it count. Where none agrees with it, the two fastest count.
 *
 * With several threads a window from CPU time confirms nothing: a thread that waits for another one that has no core uses CPU time too.
 *
 * Worked example: windows of 18, 10 and 10.4 ms: 10.2 ms, settled. Windows of 18 and 10 ms: 14 ms, not settled, spread 0.8.
 *
 * @param windows of one batch size, at least one. @param threads that one run has.
 */
export function settledTimeOf(windows: readonly ServiceTime[], threads: number): SettledTime {
  const sorted = windows.toSorted((a, b) => a.latencyMs - b.latencyMs);
  const fastestMs = sorted[0]?.latencyMs ?? Number.NaN;
  const agreeing = sorted.filter(({ latencyMs }) => agree(fastestMs, latencyMs));
  // Of another process there are no stretches: its windows are never that near, and a server is not asked again and again.
  const isNear = ({ latencyMs, cpuMs }: ServiceTime): boolean =>
    cpuMs === null || latencyMs <= fastestMs * (1 + AGREEMENT) + SURE_MS;
  const near = agreeing.filter(isNear);
  const confirms = (windows: readonly ServiceTime[]): boolean =>
    windows.filter(({ basis }) => threads === 1 || basis === "wall").length >= 2;
  const isSettled = confirms(agreeing);
  const isSure = confirms(near);
  const used = isSure ? near : isSettled ? agreeing : sorted.slice(0, 2);
  const cpuMs = used.flatMap(window => window.cpuMs ?? []);
  return {
    latencyMs: mean(used.map(({ latencyMs }) => latencyMs)),
    cpuMs: cpuMs.length === used.length ? mean(cpuMs) : null,
    scv: mean(used.map(({ scv }) => scv)),
    disturbance: Math.max(...windows.map(({ disturbance }) => disturbance)),
    basis: used.some(({ basis }) => basis === "cpu") ? "cpu" : "wall",
    spread: (sorted[1]?.latencyMs ?? fastestMs) / fastestMs - 1,
    isSettled,
    isSure,
  };
}

/** Whether two times may be of the same thing. */
export function agree(fasterMs: number, slowerMs: number): boolean {
  return slowerMs <= fasterMs * (1 + AGREEMENT) + AGREEMENT_MS;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
