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

  /** In ms, now. `batch`: rows in one batch of the replica, 1 where that is not known. */
  rowMs(variant: string | undefined, batch: number | undefined, nowMs: number): number {
    return profiledRowMs(this.#stage, variant, batch) * this.#correctionAt(nowMs);
  }

  /** A call that found `rows` rows outstanding, its own included, took `elapsedMs`. */
  observe(
    call: { readonly variant: string | undefined; readonly batch: number | undefined; readonly rows: number },
    elapsedMs: number,
    nowMs: number,
  ): void {
    const expectedMs = call.rows * profiledRowMs(this.#stage, call.variant, call.batch);
    const ratio = Math.min(MOST, Math.max(LEAST, elapsedMs / expectedMs));
    this.#correction = (1 - WEIGHT) * this.#correctionAt(nowMs) + WEIGHT * ratio;
    this.#observedAtMs = nowMs;
  }

  #correctionAt(nowMs: number): number {
    return 1 + (this.#correction - 1) * 2 ** (-(nowMs - this.#observedAtMs) / HALF_LIFE_MS);
  }
}

/** By the profile of `variant`, or else of the stage's default variant. */
function profiledRowMs(stage: Stage, variant: string | undefined, batch: number | undefined): number {
  const name = variant ?? stage.defaultVariant;
  const profile = findVariant(stage, name)?.profile ?? findVariant(stage, stage.defaultVariant)?.profile;
  const rows = batch ?? 1;
  return profile ? serviceMs(profile, rows) / rows : UNKNOWN_ROW_MS;
}
