import { serviceMs } from "../domain/profile.ts";
import type { Profile } from "../domain/profile-schema.ts";

/** How long batches of one variant take, corrected by what is measured of the stage. */
export interface ServiceTime {
  /** Mean service time of a batch of `rows` rows. */
  meanMs(rows: number): number;
  /** Squared coefficient of variation of the service time of batches of `rows` rows. */
  scv(rows: number): number;
}

const MIN_CORRECTION = 0.5;
const MAX_CORRECTION = 2;
const MIN_MS = 1e-6;
const MAX_MS = 1e9;

/** `correction` is measured over profiled service time; it is clamped to 0.5–2, and taken as 1 when it is not a number. */
export function serviceTimeOf(profile: Profile, correction: number): ServiceTime {
  const factor = Number.isNaN(correction) ? 1 : Math.min(MAX_CORRECTION, Math.max(MIN_CORRECTION, correction));
  return {
    meanMs: rows => Math.min(MAX_MS, Math.max(MIN_MS, factor * serviceMs(profile, rows))),
    scv: rows => (profile.points.find(point => point.batch >= rows) ?? profile.points.at(-1))?.scv ?? 0,
  };
}
