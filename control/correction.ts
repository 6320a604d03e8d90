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
  const serviceSeen: Record<string, Total> = {};
  const measured: Record<string, { ms: number; profiledMs: number }> = {};
  for (const view of switchers) {
    const key = podKey(view.stage, view.pod);
    const total = totalOf(pipeline, view);
    serviceSeen[key] = total;
    const before = state.serviceSeen[key];
    const seen = before && !isDisturbed(state, view) ? evidence(before, total) : null;
    if (!seen) continue;
    const sum = measured[view.stage] ?? { ms: 0, profiledMs: 0 };
    measured[view.stage] = { ms: sum.ms + seen.ms, profiledMs: sum.profiledMs + seen.profiledMs };
  }
  for (const [stage, { ms, profiledMs }] of Object.entries(measured)) {
    const old = corrections[stage] ?? 1;
    const weight = Math.min(SETTINGS.correctionWeight, profiledMs / SETTINGS.correctionMemoryMs);
    corrections[stage] = clamp(old + weight * (ms / profiledMs - old));
  }
  return { corrections, serviceSeen };
}

type Total = readonly [batches: number, measuredMs: number, profiledMs: number];

/** What one switcher measured since the last tick; null: nothing, or it was restarted and counts from zero again. */
function evidence(before: Total, total: Total): { readonly ms: number; readonly profiledMs: number } | null {
  const [batches, ms, profiledMs] = [total[0] - before[0], total[1] - before[1], total[2] - before[2]];
  if (batches <= 0 || ms <= 0 || profiledMs <= 0) return null;
  const weightMs = Math.min(profiledMs, SETTINGS.correctionMaxMs);
  return { ms: clamp(ms / profiledMs) * weightMs, profiledMs: weightMs };
}

function isDisturbed(state: ControlState, view: SwitcherView): boolean {
  const wanted = state.assignments[podKey(view.stage, view.pod)];
  return view.protecting || !view.ready || (wanted !== undefined && wanted.variant !== view.variant);
}

/**
 * Cumulative since the switcher started. What every batch costs beside the model weighs more in short batches, so that a light variant
 * measures a larger factor than a heavy one on the same machine: the lighter, the less it says.
 */
function totalOf(pipeline: Pipeline, view: SwitcherView): Total {
  const stage = findStage(pipeline, view.stage);
  const longestMs = Math.max(...(stage?.variants ?? []).map(({ profile }) => (profile ? serviceMs(profile, 1) : 0)));
  let batches = 0;
  let ms = 0;
  let profiledMs = 0;
  for (const times of view.serviceTimes) {
    const profile = stage && findVariant(stage, times.variant)?.profile;
    if (!profile) continue;
    const weight = Math.sqrt(serviceMs(profile, 1) / longestMs);
    batches += times.batches;
    ms += weight * times.totalMs;
    profiledMs += weight * times.batches * serviceMs(profile, times.rows);
  }
  return [batches, ms, profiledMs];
}

function clamp(factor: number): number {
  return Math.min(SETTINGS.correctionMax, Math.max(SETTINGS.correctionMin, factor));
}
