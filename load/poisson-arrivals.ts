/**
 * Times in ms, rising, of Poisson arrivals whose rate changes: drawn at the peak's rate and thinned (Lewis and Shedler, Naval
 * Research Logistics 26, 1979).
 *
 * @param shareAt of the peak's rate at a time, from 0 to 1.
 */
export function poissonArrivals(
  shareAt: (atMs: number) => number,
  peakRps: number,
  durationMs: number,
  random: () => number,
): number[] {
  const arrivals: number[] = [];
  let atMs = 0;
  for (;;) {
    atMs += (-Math.log(1 - random()) * 1000) / peakRps;
    if (atMs >= durationMs) return arrivals;
    if (random() < shareAt(atMs)) arrivals.push(atMs);
  }
}
