/** The fixed variants that a step of the load in the cluster is compared with: those that are best for the whole of it. */
import { type Combination, pickVariants } from "../../cli/demo/demo-rates.ts";
import { findVariant, type Pipeline } from "../../domain/pipeline.ts";
import { throughputRps } from "../../domain/profile.ts";
import { accuracyOf } from "../../optimizer/accuracy.ts";
import { countRows } from "./clairvoyant.ts";
import { listCombinations } from "./contenders.ts";

/** The pipeline in the cluster at the time of the step. */
export interface StepPlace {
  readonly pipeline: Pipeline;
  /** Ready replicas by stage. */
  readonly replicas: Readonly<Record<string, number>>;
  /** This machine's service time over the profiled one. */
  readonly factor: number;
}

/** Requests a second that the ready replicas carry at most, one row a batch, where these variants serve; default: the lightest. */
export function findCarriedRps(
  { pipeline, replicas, factor }: StepPlace,
  variants: Combination = pickVariants(pipeline, "lightest"),
): number {
  const rows = countRows(pipeline, variants);
  const rates = pipeline.stages.map(stage => {
    const profile = findVariant(stage, variants[stage.name] ?? "")?.profile;
    const rowsRps = profile ? ((replicas[stage.name] ?? 0) * throughputRps(profile, 1)) / factor : 0;
    return rowsRps / (rows[stage.name] || 1);
  });
  return Math.min(...rates);
}

/** The combination with the most requests right and in time at this rate, by how many of them the replicas carry. */
export function chooseFixedFor(place: StepPlace, rateRps: number): Combination {
  const { pipeline } = place;
  const model = accuracyOf(pipeline);
  const judged = listCombinations(pipeline).map(variants => {
    const accuracy = model.of(pipeline.stages.map(({ name }) => variants[name] ?? ""));
    return { variants, effective: accuracy * Math.min(1, findCarriedRps(place, variants) / rateRps) };
  });
  return judged.reduce((best, one) => (one.effective > best.effective ? one : best)).variants;
}
