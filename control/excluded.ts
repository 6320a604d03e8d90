import { compareVersions, QUARANTINE_CODES } from "../domain/assignment.ts";
import { excludeUnfit, unfitVariants } from "../domain/memory-fit.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { findBelowFloor } from "../optimizer/mix/rungs.ts";
import type { StagePin } from "../optimizer/problem.ts";
import type { ControlState, MissingVariant, Quarantine } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";
import type { SwitcherView } from "./switcher-view.ts";
import type { TickInput } from "./tick-input.ts";

/**
 * Leaves a variant that a switcher could not load out of the stage for a while: 60 s, then twice as long at every further
 * refusal, so that a broken model never makes a loop of refusals. It is forgotten a while after its time is over.
 */
export function quarantine(
  known: readonly Quarantine[],
  switchers: readonly SwitcherView[],
  nowMs: number,
): readonly Quarantine[] {
  const byVariant = new Map<string, Quarantine>();
  for (const entry of known) {
    if (nowMs < entry.untilMs + SETTINGS.backoffMaxMs) byVariant.set(`${entry.stage}/${entry.variant}`, entry);
  }
  for (const { stage, nack } of switchers) {
    if (!nack || !QUARANTINE_CODES.includes(nack.code)) continue;
    const key = `${stage}/${nack.variant}`;
    const entry = byVariant.get(key);
    if (entry && compareVersions(nack.version, { epoch: entry.countedEpoch, counter: entry.countedCounter }) <= 0)
      continue;
    const failures = (entry?.failures ?? 0) + 1;
    byVariant.set(key, {
      stage,
      variant: nack.variant,
      untilMs: nowMs + Math.min(SETTINGS.backoffMaxMs, SETTINGS.backoffMs * 2 ** (failures - 1)),
      failures,
      code: nack.code,
      message: nack.message,
      countedEpoch: nack.version.epoch,
      countedCounter: nack.version.counter,
    });
  }
  return [...byVariant.values()];
}

/**
 * Measured variants of the pipeline that a connected switcher has no model file of, and those that none misses any more but may miss again: what
 * was missed is left out until a switcher of its stage has it and none has missed it for a while, so that pods that come and go, and a scaler
 * that starts, change no plan. Where a pod itself has what it missed, and all others of its stage have it too, it is back at once. A switcher
 * that has none of the stage's default variant says nothing of what the stage may do without: every stage keeps a variant to be served.
 */
export function missingVariants(
  known: readonly MissingVariant[],
  { pipeline, switchers }: TickInput,
  nowMs: number,
): readonly MissingVariant[] {
  if (known.length === 0 && switchers.every(view => view.missingVariants.length === 0)) return known;
  return pipeline.stages.flatMap(({ name: stage, defaultVariant, variants }) => {
    const views = switchers.filter(view => view.stage === stage);
    const reports = views.filter(view => !view.missingVariants.includes(defaultVariant));
    return variants.flatMap(({ name: variant, profile }) => {
      if (!profile || variant === defaultVariant) return [];
      const pods = reports.filter(view => view.missingVariants.includes(variant)).map(view => view.pod);
      if (pods.length > 0) return [{ stage, variant, atMs: nowMs, pods }];
      const before = known.find(entry => entry.stage === stage && entry.variant === variant);
      return before && !isBack(before, views, nowMs) ? [before] : [];
    });
  });
}

function isBack({ variant, atMs, pods }: MissingVariant, views: readonly SwitcherView[], nowMs: number): boolean {
  const having = views.filter(view => !view.missingVariants.includes(variant));
  if (having.length === 0) return false;
  const isInstalled = having.length === views.length && having.some(view => pods.includes(view.pod));
  return isInstalled || nowMs - atMs >= SETTINGS.missingHoldMs;
}

/** Variants that may not be used now, by stage: in quarantine, not installed, or too large for the memory of their pods. */
export function excludedVariants(
  { quarantines, missing }: Pick<ControlState, "quarantines" | "missing">,
  pipeline: Pipeline,
  nowMs: number,
): Record<string, readonly string[]> {
  return excludeUnfit(pipeline, groupByStage([...findQuarantined(quarantines, nowMs), ...missing]));
}

/** The names of variants by stage, each once. */
export function groupByStage(
  variants: readonly Pick<LeftOutVariant, "stage" | "variant">[],
): Record<string, readonly string[]> {
  const byStage: Record<string, readonly string[]> = {};
  for (const { stage, variant } of variants) byStage[stage] = [...new Set([...(byStage[stage] ?? []), variant])];
  return byStage;
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
