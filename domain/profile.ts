import type { Profile } from "./profile-schema.ts";

/** What of a Profile says how long batches take. */
export interface ServiceTimes {
  readonly points: readonly Pick<Profile["points"][number], "batch" | "latencyMs">[];
}

/**
 * Service time of one batch of `rows` rows, in ms: linear between measured batch sizes, never below the smallest one,
 * in proportion to the rows beyond the largest.
 *
 * Worked example: measured 10 ms at 1 and 16 ms at 4; 2 rows take 12 ms, 8 rows take 32 ms.
 */
export function serviceMs(profile: ServiceTimes, rows: number): number {
  let below = profile.points[0];
  if (!below) return Number.POSITIVE_INFINITY;
  for (const point of profile.points) {
    if (point.batch >= rows) {
      if (point.batch <= below.batch) return point.latencyMs;
      const weight = (rows - below.batch) / (point.batch - below.batch);
      return below.latencyMs + weight * (point.latencyMs - below.latencyMs);
    }
    below = point;
  }
  return (below.latencyMs * rows) / below.batch;
}

/** Rows per second that one replica serves when every batch is full. */
export function throughputRps(profile: Profile, batch: number): number {
  return (batch * 1000) / serviceMs(profile, batch);
}

/** The Profile as it is on so many cores, where it was measured on them; otherwise as it was measured on its own. */
export function profileAt(profile: Profile, cores: number): Profile {
  if (profile.cores === cores) return profile;
  const { otherCores = [], ...own } = profile;
  const other = otherCores.find(one => one.cores === cores);
  if (other === undefined) return profile;
  // What was measured on the cores of then: memory is much the same, a line is not.
  const { fit: _line, ...kept } = own;
  return { ...kept, ...other };
}
