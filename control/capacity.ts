import { mainPart, type StageConfiguration } from "../domain/configuration.ts";
import { fanOutOf, findVariant, type Pipeline, type Stage } from "../domain/pipeline.ts";
import { serviceMs, throughputRps } from "../domain/profile.ts";
import type { SwitcherView } from "./switcher-view.ts";

/** Rows per second that one replica of the stage serves with full batches of the variant; 0 where it was not measured. */
export function replicaRps(stage: Stage, variant: string, batch: number, correction: number): number {
  const profile = findVariant(stage, variant)?.profile;
  return profile ? throughputRps(profile, batch) / correction : 0;
}

/** Rows per second that one replica of the stage serves with full batches of the size that is best for it; 0 where it was not measured. */
export function mostRps(stage: Stage, variant: string, correction: number): number {
  const profile = findVariant(stage, variant)?.profile;
  return profile ? Math.max(...profile.points.map(({ batch }) => throughputRps(profile, batch))) / correction : 0;
}

/** Time of one full batch. */
export function batchMs(stage: Stage, variant: string, batch: number, correction: number): number {
  const profile = findVariant(stage, variant)?.profile;
  return profile ? serviceMs(profile, batch) * correction : 0;
}

/** The lightest variant of the stage that may be used: the most rows per second at its best batch size. */
export function lightestVariant(stage: Stage, excluded: readonly string[]): string {
  let lightest = stage.defaultVariant;
  let most = -1;
  for (const variant of stage.variants) {
    if (!variant.profile || excluded.includes(variant.name)) continue;
    for (const point of variant.profile.points) {
      const rps = throughputRps(variant.profile, point.batch);
      if (rps > most) {
        most = rps;
        lightest = variant.name;
      }
    }
  }
  return lightest;
}

/** Rows per second of every stage at an entry rate, when the stages serve `variantOf(stage)`. */
export function stageRates(
  pipeline: Pipeline,
  rateRps: number,
  variantOf: (stage: string) => string | null,
): Record<string, number> {
  const rates: Record<string, number> = {};
  for (const stage of pipeline.stages) {
    const upstreamRps = stage.upstream === null ? rateRps : (rates[stage.upstream] ?? 0);
    rates[stage.name] = upstreamRps * fanOutOf(stage, stage.upstream === null ? null : variantOf(stage.upstream));
  }
  return rates;
}

/** What most of the stage's ready switchers serve, else what its configuration says. */
export function servedVariant(
  views: readonly SwitcherView[],
  configuration: StageConfiguration | undefined,
): string | null {
  const counts = new Map<string, number>();
  for (const view of views) if (view.ready) counts.set(view.variant, (counts.get(view.variant) ?? 0) + 1);
  let most: string | null = null;
  for (const [variant, count] of counts) if (most === null || count > (counts.get(most) ?? 0)) most = variant;
  return most ?? (configuration ? (mainPart(configuration)?.variant ?? null) : null);
}
