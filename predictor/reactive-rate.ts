import { REACTIVE_SECONDS } from "../domain/load.ts";
import type { LoadHistory } from "./load-history.ts";

const BOUND_SECONDS = [1, 2, 3, 5];
/** One-sided 97.7 %. */
const SIGMAS = 2;
/** A rise below is taken for chance: it is looked for every second. */
const RISE_SIGMAS = 3;

/**
 * By how much the load as it is now is above the mean of the 10 seconds before its own: what a steady rise adds in the next 10. 0 where
 * chance explains it, or nothing is known of those. Worked: after 80 requests in 10 seconds a rise shows from 12.3 rps on.
 *
 * @param nowRps its `reactiveRateRps`.
 */
export function riseRps(history: LoadHistory, nowRps: number): number {
  const before = history.window(REACTIVE_SECONDS, REACTIVE_SECONDS);
  // The root of a Poisson count has a deviation of 1/2, that of a rate over n seconds one of 1/(2√n).
  const sigma = Math.sqrt(1 / history.window(0, REACTIVE_SECONDS).present + 1 / before.present) / 2;
  return Math.sqrt(nowRps) - Math.sqrt(before.meanRps) > RISE_SIGMAS * sigma ? nowRps - before.meanRps : 0;
}

/**
 * What the load is now, in rps: the mean of the last 10 seconds, or more where the last 1, 2, 3 or 5 seconds cannot be chance. A count
 * N in w seconds shows a rate of at least ((√(N + 3/8) − 1)² − 3/8)/w at two Anscombe sigmas. Worked: after a steady 20 rps one
 * second of 200 gives 173, a second one 180, while the 10-second mean is still at 38 and 56.
 */
export function reactiveRateRps(history: LoadHistory): number {
  let rateRps = history.meanOf(0, REACTIVE_SECONDS);
  for (const seconds of BOUND_SECONDS) {
    const { meanRps, present } = history.window(0, seconds);
    const root = Math.max(Math.sqrt(meanRps * present + 0.375) - SIGMAS / 2, 0);
    rateRps = Math.max(rateRps, (root * root - 0.375) / present);
  }
  return rateRps;
}
