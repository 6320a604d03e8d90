import { fanOutOf, findVariant, type Pipeline, type Stage } from "../domain/pipeline.ts";
import { throughputRps } from "../domain/profile.ts";

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
