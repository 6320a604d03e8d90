import { confidenceThreshold } from "../domain/confidence-threshold.ts";
import type { Signals } from "../domain/correctness-model.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { MeasurementsInput } from "../domain/profile-schema.ts";
import { receivedOf } from "./received-inputs.ts";
import { wilsonInterval } from "./wilson-interval.ts";

/** A variant for every stage, in the order of the pipeline's stages. */
export type Combination = readonly string[];

/** What came of one labelled item, as it is kept for resuming. */
export interface ItemResult {
  readonly id: string;
  /** In the order of `combinationsOf`. */
  readonly combinations: readonly {
    readonly correct: boolean;
    readonly partsCorrect: number;
    readonly parts: number;
    /** What the request showed of itself without its label. */
    readonly signals: Signals;
    /** Whether each stage was right given what it got, in their order. */
    readonly stagesRight: readonly boolean[];
  }[];
  /** Whether a variant was right on right inputs: by stage, then variant. */
  readonly stages: Readonly<Record<string, Readonly<Record<string, boolean>>>>;
  /**
   * The least confidence of a stage's rows on right inputs: by stage, then variant. Missing where the pipeline file does not say what a
   * confidence is.
   */
  readonly confidences?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Rows of a stage and of its upstream stage: by stage, then variant of the upstream stage; `ENTRY` and one request where it has none. */
  readonly fanOut: Readonly<Record<string, Readonly<Record<string, { readonly rows: number; readonly of: number }>>>>;
}

/** Every choice of one variant per stage; the last stage varies fastest. */
export function combinationsOf(pipeline: Pipeline): readonly Combination[] {
  let combinations: string[][] = [[]];
  for (const stage of pipeline.stages)
    combinations = combinations.flatMap(chosen => stage.variants.map(variant => [...chosen, variant.name]));
  return combinations;
}

/** Accuracy of stages and combinations, with 95 % intervals, and what stages made of the inputs that they got. */
export function accuracyOf(pipeline: Pipeline, results: readonly ItemResult[]): MeasurementsInput["accuracy"] {
  if (results.length === 0) return undefined;
  const stages = pipeline.stages.map(stage => {
    const variants = stage.variants.map(variant => {
      const right = results.filter(result => result.stages[stage.name]?.[variant.name]).length;
      const threshold = learnThreshold(results, stage.name, variant.name);
      const measured = {
        ...proportion(right, results.length),
        ...(threshold !== null && { confidenceThreshold: threshold }),
      };
      return [variant.name, measured] as const;
    });
    return [stage.name, Object.fromEntries(variants)] as const;
  });
  const combinations = combinationsOf(pipeline).map((combination, i) => {
    const scores = results.flatMap(result => result.combinations[i] ?? []);
    const parts = scores.reduce((sum, score) => sum + score.parts, 0);
    const partsCorrect = scores.reduce((sum, score) => sum + score.partsCorrect, 0);
    return {
      variants: Object.fromEntries(pipeline.stages.map((stage, s) => [stage.name, combination[s] ?? ""])),
      ...proportion(scores.filter(score => score.correct).length, scores.length),
      ...(parts > 0 ? { partAccuracy: round(partsCorrect / parts) } : {}),
    };
  });
  return {
    stages: Object.fromEntries(stages),
    combinations,
    received: receivedOf(pipeline, combinationsOf(pipeline), results),
  };
}

/** An item counts by its least confident row: what is wrong of it is most likely that one. Null: no item has a confidence. */
function learnThreshold(results: readonly ItemResult[], stage: string, variant: string): number | null {
  const known = results.flatMap(({ confidences, stages }) => {
    const confidence = confidences?.[stage]?.[variant];
    return confidence === undefined ? [] : [{ confidence, right: stages[stage]?.[variant] === true }];
  });
  return known.length === 0 ? null : confidenceThreshold(known);
}

/** Stands for the upstream variant of a stage that has no upstream stage: no variant has an empty name. */
export const ENTRY = "";

/** Rows of each stage for one row of its upstream stage, by the upstream stage's variant; of entry stages for one request. */
export function fanOutOf(pipeline: Pipeline, results: readonly ItemResult[]): MeasurementsInput["fanOut"] {
  const fanOut: NonNullable<MeasurementsInput["fanOut"]> = {};
  for (const stage of pipeline.stages) {
    const upstream = pipeline.stages.find(other => other.name === stage.upstream);
    const countMean = (variant: string): number | null => {
      const counts = results.flatMap(result => result.fanOut[stage.name]?.[variant] ?? []);
      const of = counts.reduce((sum, count) => sum + count.of, 0);
      return of > 0 ? round(counts.reduce((sum, count) => sum + count.rows, 0) / of) : null;
    };
    if (!upstream) {
      const rowsPerRequest = countMean(ENTRY);
      if (rowsPerRequest !== null) fanOut[stage.name] = { rowsPerRequest };
      continue;
    }
    const rowsByVariant: Record<string, number> = {};
    for (const { name } of upstream.variants) {
      const mean = countMean(name);
      if (mean !== null) rowsByVariant[name] = mean;
    }
    if (Object.keys(rowsByVariant).length > 0) fanOut[stage.name] = { upstream: upstream.name, rowsByVariant };
  }
  return Object.keys(fanOut).length > 0 ? fanOut : undefined;
}

function proportion(right: number, items: number) {
  const [low, high] = wilsonInterval(right, items);
  return { accuracy: round(right / items), items, interval: [round(low), round(high)] as [number, number] };
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
