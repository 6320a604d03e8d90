import { dominatedVariants, type MeasuredVariant, measuredVariants } from "../domain/dominated-variants.ts";
import type { MeasurementsInput } from "../domain/profile-schema.ts";

/** The variants of a stage that no other one dominates, the fastest at batch 1 first. */
export interface Ladder {
  readonly stage: string;
  readonly ladder: readonly MeasuredVariant[];
}

export function laddersOf({ stages, accuracy }: MeasurementsInput): readonly Ladder[] {
  return Object.entries(stages).map(([stage, profiles]) => {
    const variants = measuredVariants(stage, profiles, accuracy);
    const dominated = new Set(dominatedVariants(variants).map(({ name }) => name));
    const ladder = variants.filter(({ name }) => !dominated.has(name)).sort((a, b) => firstMs(a) - firstMs(b));
    return { stage, ladder };
  });
}

/** The slowest over the fastest, at batch 1. */
export function spanOf(ladder: readonly MeasuredVariant[]): number {
  const times = ladder.map(firstMs);
  return Math.max(...times) / Math.min(...times);
}

/** Whether the pipeline is right more often with each variant than with the next faster one. */
export function rises(ladder: readonly MeasuredVariant[]): boolean {
  return ladder.every(({ accuracy }, i) => {
    const before = ladder[i - 1];
    return accuracy !== null && (before === undefined || accuracy > (before.accuracy ?? Number.NaN));
  });
}

function firstMs({ points }: MeasuredVariant): number {
  return points[0]?.latencyMs ?? Number.NaN;
}
