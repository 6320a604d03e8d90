/** The shares of its rows that one replica's rungs serve by a plan for a steady rate: what a split at random goes by. */

import { type ServiceTimes, serviceMs } from "../../domain/profile.ts";
import { readShare, splitRows } from "../../optimizer/mix/split-rows.ts";

const UTILISATION = 0.97;

interface PlannedRung {
  readonly variant: { readonly accuracy: number };
  readonly profile: ServiceTimes;
  readonly maxBatch: number;
}

interface Point {
  /** The place of the rung. */
  readonly at: number;
  readonly rowMs: number;
  readonly accuracy: number;
}

/**
 * The shares of the rows by rung, in their order. Of the rungs on the upper concave hull of time and accuracy the two are mixed whose rows take next
 * to as long as a row may at this rate, so that the mix uses the replica's time up to the utilisation. Where even the lightest takes longer it serves
 * all rows, and where the heaviest takes less that one does.
 *
 * @param slower batches take so many times what was measured.
 */
export function sharePlannedRows(rungs: readonly PlannedRung[], rateRps: number, slower: number): readonly number[] {
  const hull = findHull(
    rungs.map(({ profile, maxBatch, variant }, at) => {
      const rowMs = (slower * serviceMs(profile, maxBatch)) / maxBatch;
      return { at, rowMs, accuracy: variant.accuracy };
    }),
  );
  const heaviestFirst = hull.toReversed();
  const rungRps = heaviestFirst.map(({ rowMs }) => (UTILISATION * 1000) / rowMs);
  const split = splitRows(rungRps, 1, rateRps);
  const shares = new Map(heaviestFirst.map(({ at }, rung) => [at, readShare(split, rung)]));
  return rungs.map((_, at) => shares.get(at) ?? 0);
}

/** The points of the upper concave hull, the lightest first. */
function findHull(points: readonly Point[]): readonly Point[] {
  const hull: Point[] = [];
  for (const point of points.toSorted((a, b) => a.rowMs - b.rowMs || b.accuracy - a.accuracy)) {
    if (point.accuracy <= (hull.at(-1)?.accuracy ?? Number.NEGATIVE_INFINITY)) continue;
    while (isUnder(hull.at(-2), hull.at(-1), point)) hull.pop();
    hull.push(point);
  }
  return hull;
}

function isUnder(before: Point | undefined, point: Point | undefined, after: Point): boolean {
  if (!before || !point) return false;
  const { accuracy, rowMs } = before;
  return (point.accuracy - accuracy) * (after.rowMs - rowMs) <= (after.accuracy - accuracy) * (point.rowMs - rowMs);
}
