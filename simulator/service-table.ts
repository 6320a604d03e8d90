import type { Stage, Variant } from "../domain/pipeline.ts";
import { serviceMs } from "../domain/profile.ts";
import type { Profile } from "../domain/profile-schema.ts";
import { createRung, type Rung } from "../domain/serving/ladder.ts";

/** Replicas whose factors lie within 1 % of each other share their rungs. */
const STEPS = 100;

/** What batches of one variant take, looked up by rows. */
export interface ServiceTable {
  readonly variant: Variant;
  /** Place in the stage's variants. */
  readonly place: number;
  /** Mean by rows, from 1 on; entry 0 is not used. */
  readonly meanMs: Float64Array;
  /** Squared coefficient of variation by rows. */
  readonly scv: Float64Array;
  readonly loadMs: number;
  readonly memoryMiB: number;
  /** Of one replica that serves it. */
  readonly cores: number;
  /** Rungs that were made from it, by `SimRung.key`. */
  readonly rungs: Map<number, SimRung>;
}

/** A rung as it is on replicas that take some factor longer than the Profile says. */
export interface SimRung extends Rung {
  readonly table: ServiceTable;
  /** As `batchMs`, by the Profile. */
  readonly profileMs: Float64Array;
  /** Milliseconds of a row in the batches that take the longest for one. */
  readonly longestRowMs: number;
}

/** One for each variant of the stage, in its order; null: it has no Profile and can't be simulated. */
export function serviceTables(stage: Stage, podShape: "stage" | "variant"): (ServiceTable | null)[] {
  return stage.variants.map((variant, place) => {
    const { profile } = variant;
    if (!profile) return null;
    const most = mostRows(profile);
    const meanMs = new Float64Array(most + 1);
    const scv = new Float64Array(most + 1);
    for (let rows = 1; rows <= most; rows++) {
      meanMs[rows] = serviceMs(profile, rows);
      scv[rows] = (profile.points.findLast(({ batch }) => batch <= rows) ?? profile.points[0])?.scv ?? 0;
    }
    return {
      variant,
      place,
      meanMs,
      scv,
      loadMs: profile.loadMs,
      memoryMiB: profile.memoryMiB ?? 0,
      cores: podShape === "variant" ? profile.cores : stage.cores,
      rungs: new Map(),
    };
  });
}

/** The step of a factor: rungs of one step are the same object. */
export function factorStep(factor: number): number {
  return Math.round(factor * STEPS);
}

/** The variant as a rung, with batches as large as were measured at most. */
export function rungAt(table: ServiceTable, maxBatch: number, step: number): SimRung {
  const { variant, meanMs, rungs } = table;
  const most = Math.min(maxBatch, meanMs.length - 1);
  const key = step * meanMs.length + most;
  const known = rungs.get(key);
  if (known) return known;
  const profile = variant.profile as Profile;
  const scaled = createRung(variant.name, profile, most, step / STEPS);
  const { batchMs: profileMs } = createRung(variant.name, profile, most);
  const longestRowMs = scaled.batchMs.reduce((longest, ms, rows) => (rows > 0 ? Math.max(longest, ms / rows) : 0), 0);
  const rung = { ...scaled, table, profileMs, longestRowMs };
  rungs.set(key, rung);
  return rung;
}

function mostRows({ points }: Profile): number {
  return points.at(-1)?.batch ?? 1;
}
