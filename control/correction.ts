import { findStage, findVariant, type Pipeline } from "../domain/pipeline.ts";
import { serviceMs } from "../domain/profile.ts";
import { type ControlState, podKey } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";
import type { SwitcherView } from "./switcher-view.ts";

type Corrections = Pick<ControlState, "corrections" | "serviceSeen">;

/**
 * Corrects profiled service times by what the switchers measure: one factor per stage, shared by its variants, because it is the
 * machine that differs, not the model. Frozen while a pod switches or is overloaded, when times say nothing about the model.
 */
export function correct(state: ControlState, pipeline: Pipeline, switchers: readonly SwitcherView[]): Corrections {
  const corrections: Record<string, number> = { ...state.corrections };
  const serviceSeen: Record<string, readonly [number, number, number]> = {};
  const measured: Record<string, { ms: number; profiledMs: number }> = {};
  for (const view of switchers) {
    const key = podKey(view.stage, view.pod);
    const total = totalOf(pipeline, view);
    serviceSeen[key] = total;
    const before = state.serviceSeen[key];
    // A restarted switcher counts from zero again.
    if (!before || total[0] < before[0] || isDisturbed(state, view)) continue;
    const sum = measured[view.stage] ?? { ms: 0, profiledMs: 0 };
    measured[view.stage] = { ms: sum.ms + total[1] - before[1], profiledMs: sum.profiledMs + total[2] - before[2] };
  }
  for (const [stage, { ms, profiledMs }] of Object.entries(measured)) {
    if (profiledMs < SETTINGS.correctionMinMs || !(ms > 0)) continue;
    const ratio = clamp(ms / profiledMs);
    const old = corrections[stage] ?? 1;
    corrections[stage] = clamp(old + SETTINGS.correctionWeight * (ratio - old));
  }
  return { corrections, serviceSeen };
}

function isDisturbed(state: ControlState, view: SwitcherView): boolean {
  const wanted = state.assignments[podKey(view.stage, view.pod)];
  return view.protecting || !view.ready || (wanted !== undefined && wanted.variant !== view.variant);
}

function totalOf(pipeline: Pipeline, view: SwitcherView): readonly [number, number, number] {
  const stage = findStage(pipeline, view.stage);
  let batches = 0;
  let ms = 0;
  let profiledMs = 0;
  for (const times of view.serviceTimes) {
    const profile = stage && findVariant(stage, times.variant)?.profile;
    if (!profile || times.rows < 1) continue;
    batches += times.batches;
    ms += times.totalMs;
    profiledMs += times.batches * serviceMs(profile, times.rows);
  }
  return [batches, ms, profiledMs];
}

function clamp(factor: number): number {
  return Math.min(SETTINGS.correctionMax, Math.max(SETTINGS.correctionMin, factor));
}
