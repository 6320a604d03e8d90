import { isRate, type LoadSample } from "../domain/load.ts";
import { scatter } from "./scatter.ts";

const SECOND_MS = 1000;

/** What is known of one series between two points in time. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
  /** Arrivals; null: it can't be known how many. */
  readonly count: number | null;
  /** Where its arrivals lie within it follows from this alone. */
  readonly seed: number;
}

/** The whole seconds of a span that are known, and how many of them gave no rate that can be. */
export interface Filled {
  readonly samples: readonly LoadSample[];
  readonly refused: number;
}

/**
 * Arrivals of all series together in each whole second from `fromMs` to `toMs`. A second is left out where no series covers all of
 * it, and where one of them is unknown in any part of it. Arrivals of an interval lie at random over its seconds (scatter.ts): the sum
 * over an interval is what was counted, the seconds within it are a draw.
 *
 * @param series intervals of each, in their order, without overlap.
 */
export function fillSeconds(series: readonly (readonly Interval[])[], fromMs: number, toMs: number): Filled {
  const first = Math.floor(fromMs / SECOND_MS);
  const seconds = Math.max(Math.floor(toMs / SECOND_MS) - first, 0);
  const counts = new Float64Array(seconds);
  const known = new Uint8Array(seconds);
  const unknown = new Uint8Array(seconds);
  for (const intervals of series) {
    const covered = new Float64Array(seconds);
    for (const interval of intervals) {
      for (const { second, overlapMs, count } of partsOf(interval, first * SECOND_MS, toMs)) {
        const at = second - first;
        if (at < 0 || at >= seconds) continue;
        if (count === null) unknown[at] = 1;
        else counts[at] = (counts[at] ?? 0) + count;
        covered[at] = (covered[at] ?? 0) + overlapMs;
      }
    }
    for (let at = 0; at < seconds; at++) if ((covered[at] ?? 0) > SECOND_MS - 0.5) known[at] = 1;
  }
  const samples: LoadSample[] = [];
  let refused = 0;
  for (let at = 0; at < seconds; at++) {
    const rateRps = counts[at] ?? 0;
    if (known[at] === 0 || unknown[at] === 1) continue;
    if (isRate(rateRps)) samples.push({ atMs: (first + at + 1) * SECOND_MS, rateRps });
    else refused += 1;
  }
  return { samples, refused };
}

interface Part {
  readonly second: number;
  readonly overlapMs: number;
  readonly count: number | null;
}

/** An interval by whole seconds: all of them, so that the draw is the same whatever part of it is asked for. */
function partsOf(interval: Interval, fromMs: number, toMs: number): readonly Part[] {
  if (interval.toMs <= fromMs || interval.fromMs >= toMs) return [];
  const spanMs = interval.toMs - interval.fromMs;
  const overlaps: { second: number; overlapMs: number }[] = [];
  for (let second = Math.floor(interval.fromMs / SECOND_MS); second * SECOND_MS < interval.toMs; second++) {
    const overlapMs = Math.min((second + 1) * SECOND_MS, interval.toMs) - Math.max(second * SECOND_MS, interval.fromMs);
    overlaps.push({ second, overlapMs });
  }
  if (interval.count === null) return overlaps.map(overlap => ({ ...overlap, count: null }));
  const shares = overlaps.map(overlap => overlap.overlapMs / spanMs);
  const counts = scatter(interval.count, shares, interval.seed);
  return overlaps.map((overlap, i) => ({ ...overlap, count: counts[i] ?? 0 }));
}
