import type { LoadTrace } from "./load-trace.ts";

/**
 * The trace with runs of at least `leastSeconds` zeros as missing seconds: a source that fell silent, where the load is so high that
 * nobody asking for so long can't be. Nothing else tells the two apart, so whoever knows the load has to say so.
 */
export function hideZeroRuns(
  trace: LoadTrace,
  leastSeconds: number,
): { readonly trace: LoadTrace; readonly hidden: number } {
  const ratesRps = trace.ratesRps.slice();
  let hidden = 0;
  let zeros = 0;
  for (let second = 0; second <= ratesRps.length; second++) {
    if (ratesRps[second] === 0) {
      zeros += 1;
      continue;
    }
    if (zeros >= leastSeconds) {
      ratesRps.fill(Number.NaN, second - zeros, second);
      hidden += zeros;
    }
    zeros = 0;
  }
  return { trace: { startMs: trace.startMs, ratesRps }, hidden };
}
