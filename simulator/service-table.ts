import type { Stage, Variant } from "../domain/pipeline.ts";
import { serviceMs } from "../domain/profile.ts";

/** What batches of one variant take, looked up by rows. */
export interface ServiceTable {
  readonly variant: Variant;
  /** Mean by rows, from 1 on; entry 0 is not used. */
  readonly meanMs: Float64Array;
  /** Squared coefficient of variation by rows. */
  readonly scv: Float64Array;
  readonly loadMs: number;
  readonly memoryMiB: number;
  /** Of one replica that serves it. */
  readonly cores: number;
}

/** One for each variant of the stage, in its order; null: it has no Profile and can't be simulated. */
export function serviceTables(stage: Stage, podShape: "stage" | "variant"): (ServiceTable | null)[] {
  return stage.variants.map(variant => {
    const { profile } = variant;
    if (!profile) return null;
    const most = profile.points.at(-1)?.batch ?? 1;
    const meanMs = new Float64Array(most + 1);
    const scv = new Float64Array(most + 1);
    for (let rows = 1; rows <= most; rows++) {
      meanMs[rows] = serviceMs(profile, rows);
      scv[rows] = (profile.points.findLast(({ batch }) => batch <= rows) ?? profile.points[0])?.scv ?? 0;
    }
    return {
      variant,
      meanMs,
      scv,
      loadMs: profile.loadMs,
      memoryMiB: profile.memoryMiB ?? 0,
      cores: podShape === "variant" ? profile.cores : stage.cores,
    };
  });
}
