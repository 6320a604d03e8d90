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
 * Service time of one row on one replica: that of the profile of a variant, times a moving average of how much longer or shorter calls
 * really take than the profile of what answered them says.
 */
export class ServiceEstimate {
  readonly #stage: Stage;
  #correction = 1;
  #observedAtMs = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** In ms, now. */
  rowMs(serving: Serving, nowMs: number): number {
    return profiledRowMs(this.#stage, serving) * this.#correctionAt(nowMs);
  }

  /** A call that `serving` answered, and that found `rows` rows outstanding, its own included, took `elapsedMs`. */
  observe(serving: Serving, rows: number, elapsedMs: number, nowMs: number): void {
    const expectedMs = profiledMs(this.#stage, serving, rows);
    const ratio = Math.min(MOST, Math.max(LEAST, elapsedMs / expectedMs));
    this.#correction = (1 - WEIGHT) * this.#correctionAt(nowMs) + WEIGHT * ratio;
    this.#observedAtMs = nowMs;
  }

  #correctionAt(nowMs: number): number {
    return 1 + (this.#correction - 1) * 2 ** (-(nowMs - this.#observedAtMs) / HALF_LIFE_MS);
  }
}

/** Of one row of a full batch, in ms; of a batch of 1 where it is not known. */
export function profiledRowMs(stage: Stage, serving: Serving): number {
  const full = serving.batch ?? 1;
  return profiledMs(stage, serving, full) / full;
}

/** Of so many rows in batches as large as may be, by the profile of the variant, or else of the stage's default variant. */
function profiledMs(stage: Stage, { variant, batch }: Serving, rows: number): number {
  const name = variant ?? stage.defaultVariant;
  const profile = findVariant(stage, name)?.profile ?? findVariant(stage, stage.defaultVariant)?.profile;
  if (!profile) return rows * UNKNOWN_ROW_MS;
  const full = batch ?? 1;
  const rest = rows % full;
  return Math.floor(rows / full) * serviceMs(profile, full) + (rest > 0 ? serviceMs(profile, rest) : 0);
}
