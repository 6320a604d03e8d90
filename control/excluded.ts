import { excludeUnfit, unfitVariants } from "../domain/memory-fit.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { StagePin } from "../optimizer/problem.ts";
import { findBelowFloor } from "./assignments/rungs.ts";
import type { ControlState, MissingVariant } from "./control-state.ts";
import { quarantinedVariants } from "./quarantine.ts";

/** Variants that may not be used now, by stage: in quarantine, not installed, or too large for the memory of their pods. */
export function excludedVariants(
  { quarantines, missing }: Pick<ControlState, "quarantines" | "missing">,
  pipeline: Pipeline,
  nowMs: number,
): Record<string, readonly string[]> {
  const excluded = quarantinedVariants(quarantines, nowMs);
  for (const [stage, variants] of Object.entries(notInstalled(missing)))
    excluded[stage] = [...new Set([...(excluded[stage] ?? []), ...variants])];
  return excludeUnfit(pipeline, excluded);
}

/** Those and the ones below the floors of the pipeline file, but for pinned ones and where nothing else is left of a stage. */
export function excludeBelowFloors(
  { serving, stages }: Pipeline,
  excluded: Readonly<Record<string, readonly string[]>>,
  pins: readonly StagePin[],
): Readonly<Record<string, readonly string[]>> {
  if (Object.keys(serving.floor).length === 0) return excluded;
  const all: Record<string, readonly string[]> = { ...excluded };
  for (const stage of stages) {
    const pinned = pins.filter(pin => pin.stage === stage.name).map(pin => pin.variant);
    const below = findBelowFloor(serving, stage).filter(variant => !pinned.includes(variant));
    const leftOut = new Set([...(excluded[stage.name] ?? []), ...below]);
    const isAnyLeft = stage.variants.some(({ name, profile }) => profile && !leftOut.has(name));
    if (below.length > 0 && isAnyLeft) all[stage.name] = [...leftOut];
  }
  return all;
}

/** Variants that pods have no model file of, by stage. */
export function notInstalled(missing: readonly MissingVariant[]): Record<string, readonly string[]> {
  const byStage: Record<string, readonly string[]> = {};
  for (const { stage, variant } of missing) byStage[stage] = [...(byStage[stage] ?? []), variant];
  return byStage;
}

/** A variant that may not be served now, and why. */
export interface LeftOutVariant {
  readonly stage: string;
  readonly variant: string;
  readonly code: string;
  readonly message: string;
  /** When it is tried again; null where a pod must have its file, or more memory, first. */
  readonly untilMs: number | null;
}

/** Variants in quarantine, with the end of it. */
export function findQuarantined(
  quarantines: ControlState["quarantines"],
  nowMs: number,
): readonly (LeftOutVariant & { readonly untilMs: number })[] {
  return quarantines
    .filter(({ untilMs }) => nowMs < untilMs)
    .map(({ stage, variant, code, message, untilMs }) => ({ stage, variant, code, message, untilMs }));
}

/** The variants that `excludedVariants` has, each with the reason. */
export function findLeftOut(
  { quarantines, missing }: Pick<ControlState, "quarantines" | "missing">,
  pipeline: Pipeline,
  nowMs: number,
): readonly LeftOutVariant[] {
  return [
    ...findQuarantined(quarantines, nowMs),
    ...unfitVariants(pipeline).map(one => ({ ...one, code: "memory_short", untilMs: null })),
    ...missing.map(({ stage, variant, pods }) => ({
      stage,
      variant,
      code: "model_missing",
      message: `${pods.join(", ")} ${pods.length === 1 ? "has" : "have"} no model file of it`,
      untilMs: null,
    })),
  ];
}

/** Pins as far as they can be followed: one that names a variant that is left out fixes the replicas alone, so that the stage serves on. */
export function keepPossiblePins(
  pins: readonly StagePin[],
  excluded: Readonly<Record<string, readonly string[]>>,
): readonly StagePin[] {
  return pins.flatMap(pin => {
    if (pin.variant === null || !excluded[pin.stage]?.includes(pin.variant)) return [pin];
    return pin.replicas === null ? [] : [{ ...pin, variant: null, batch: null }];
  });
}
