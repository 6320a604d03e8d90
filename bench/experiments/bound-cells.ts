import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import { throughputRps } from "../../domain/profile.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import { reactiveRateRps } from "../../predictor/reactive-rate.ts";
import type { TimelineRow } from "../../simulator/timeline.ts";
import { leastCapacityRps, type Rise, unavoidable } from "./causal-bound.ts";
import { CLUSTER } from "./e1-cells.ts";
import { WARM_UP_SECONDS } from "./ipa-loads.ts";

/** The load as it is shows a rise when it is above the mean of the last minute by this factor. */
const SEEN_FACTOR = 1.25;
const LEVEL_SECONDS = 60;

/** The second of a run at which most was lost already, with no rise to be seen yet. */
export interface WorstRise {
  readonly rise: Rise;
  readonly stage: number;
  /** What the stage's pods could serve, those included that were asked for. */
  readonly heldRps: number;
  readonly unavoidable: number;
}

/** @param timeline of windows of one second. */
export function worstRise(pipeline: Pipeline, timeline: readonly TimelineRow[]): WorstRise | null {
  const counts = timeline.map(({ offeredRps }) => offeredRps);
  const sloSeconds = pipeline.slo.latencyMs / 1000;
  const history = new LoadHistory();
  let worst: WorstRise | null = null;
  for (const [second, { stages, offeredRps }] of timeline.entries()) {
    history.push(offeredRps);
    const nowRps = reactiveRateRps(history);
    if (second + 1 < LEVEL_SECONDS || nowRps > SEEN_FACTOR * history.meanOf(0, LEVEL_SECONDS)) continue;
    for (const [s, stage] of pipeline.stages.entries()) {
      const fromSecond = second + 1;
      const rise = { counts, fromSecond, readySecond: readySecond(pipeline, s, fromSecond), sloSeconds };
      const held = stages[s];
      const rates = (held?.variants ?? []).map(name => replicaRps(stage, name));
      const heldRps = (held?.desired ?? 0) * Math.max(0, ...rates);
      const lost = nowRps <= heldRps ? unavoidable(rise, heldRps) : 0;
      if (lost > (worst?.unavoidable ?? 0)) worst = { rise, stage: s, heldRps, unavoidable: lost };
    }
  }
  return worst;
}

/** When a pod can serve that is asked for at the next look of the stage's HPA: these looks are spread over their period. */
function readySecond({ stages }: Pipeline, s: number, fromSecond: number): number {
  const { syncMs, podStartMs } = CLUSTER;
  const firstMs = (syncMs * (s + 1)) / stages.length - WARM_UP_SECONDS * 1000;
  const looks = Math.floor((1000 * fromSecond - firstMs) / syncMs) + 1;
  return (firstMs + looks * syncMs + podStartMs) / 1000;
}

/** With full batches: nothing is faster. */
function replicaRps(stage: Stage, name: string): number {
  const profile = stage.variants.find(variant => variant.name === name)?.profile;
  return profile ? Math.max(...profile.points.map(({ batch }) => throughputRps(profile, batch))) : 0;
}

/** Cores of a stage at the second before `second`, those of its heaviest variant for all its pods. */
export function coresAt(stage: Stage, row: TimelineRow | undefined, s: number): number {
  const held = row?.stages[s];
  return (held?.ready ?? 0) * Math.max(0, ...(held?.variants ?? []).map(name => coresOf(stage, name)));
}

/** The fewest cores of a stage with which no more than `allowed` requests of a rise have to be late. */
export function leastCores(stage: Stage, rise: Rise, allowed: number): number {
  const rateRps = leastCapacityRps(rise, allowed);
  return Math.min(
    ...stage.variants.map(({ name }) => Math.ceil(rateRps / replicaRps(stage, name) - 1e-9) * coresOf(stage, name)),
  );
}

function coresOf(stage: Stage, name: string): number {
  return stage.variants.find(variant => variant.name === name)?.profile?.cores ?? 0;
}
