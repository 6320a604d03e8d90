import { findVariant, type Stage } from "../domain/pipeline.ts";
import { serviceMs } from "../domain/profile.ts";

/** Weight of the newest observation. */
const WEIGHT = 0.1;
/** A correction loses half of its distance from 1 in this time, so that a replica that was slow once is tried again. */
const HALF_LIFE_MS = 5000;
/** Bounds of one observation: a single stall must not make a replica look useless. */
const LEAST = 0.05;
const MOST = 20;
/** For a variant that was not measured; the correction takes it from here. */
const UNKNOWN_ROW_MS = 10;

/** A variant and the largest batch that it is served with; undefined: not known. */
export interface Serving {
  readonly variant: string | undefined;
  readonly batch: number | undefined;
}

/**
 * Service time of one row on one replica: that of the profile of the variant it serves, times a moving average of how much
 * longer or shorter calls really take.
 */
export class ServiceEstimate {
  readonly #stage: Stage;
  #correction = 1;
  #observedAtMs = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** In ms, now. The batch is 1 where it is not known. */
  rowMs({ variant, batch }: Serving, nowMs: number): number {
    return (profiledMs(this.#stage, variant, batch, batch ?? 1) * this.#correctionAt(nowMs)) / (batch ?? 1);
  }

  /** A call that `serving` answered, and that found `rows` rows outstanding, its own included, took `elapsedMs`. */
  observe({ variant, batch }: Serving, rows: number, elapsedMs: number, nowMs: number): void {
    const expectedMs = profiledMs(this.#stage, variant, batch, rows);
    const ratio = Math.min(MOST, Math.max(LEAST, elapsedMs / expectedMs));
    this.#correction = (1 - WEIGHT) * this.#correctionAt(nowMs) + WEIGHT * ratio;
    this.#observedAtMs = nowMs;
  }

  #correctionAt(nowMs: number): number {
    return 1 + (this.#correction - 1) * 2 ** (-(nowMs - this.#observedAtMs) / HALF_LIFE_MS);
  }
}

/** Of so many rows in batches as large as may be, by the profile of `variant`, or else of the stage's default variant. */
function profiledMs(stage: Stage, variant: string | undefined, batch: number | undefined, rows: number): number {
  const name = variant ?? stage.defaultVariant;
  const profile = findVariant(stage, name)?.profile ?? findVariant(stage, stage.defaultVariant)?.profile;
  if (!profile) return rows * UNKNOWN_ROW_MS;
  const full = batch ?? 1;
  const rest = rows % full;
  return Math.floor(rows / full) * serviceMs(profile, full) + (rest > 0 ? serviceMs(profile, rest) : 0);
}
