import type { LoadHistory } from "./load-history.ts";

const MEAN_SECONDS = 10;
const BOUND_SECONDS = [1, 2, 3, 5];
/** One-sided 97.7 %. */
const SIGMAS = 2;

/**
 * By how much the load as it is now is above the mean of the 10 seconds before its own: what a steady rise adds in the next 10. Never
 * below 0; 0 where nothing is known of those.
 */
export function riseRps(history: LoadHistory): number {
  const beforeRps = history.meanOf(MEAN_SECONDS, MEAN_SECONDS);
  return Number.isNaN(beforeRps) ? 0 : Math.max(reactiveRateRps(history) - beforeRps, 0);
}

/**
 * What the load is now, in rps: the mean of the last 10 seconds, or more where the last 1, 2, 3 or 5 seconds cannot be chance. A count
 * N in w seconds shows a rate of at least ((√(N + 3/8) − 1)² − 3/8)/w at two Anscombe sigmas. Worked: after a steady 20 rps one
 * second of 200 gives 173, a second one 180, while the 10-second mean is still at 38 and 56.
 */
export function reactiveRateRps(history: LoadHistory): number {
  let rateRps = history.meanOf(0, MEAN_SECONDS);
  for (const seconds of BOUND_SECONDS) {
    const { meanRps, present } = history.window(0, seconds);
    const root = Math.max(Math.sqrt(meanRps * present + 0.375) - SIGMAS / 2, 0);
    rateRps = Math.max(rateRps, (root * root - 0.375) / present);
  }
  return rateRps;
}
