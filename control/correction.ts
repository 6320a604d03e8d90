import type { Assignment } from "../domain/assignment.ts";
import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { serviceMs } from "../domain/profile.ts";
import type { Profile } from "../domain/profile-schema.ts";
import { type ControlState, podKey } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";
import type { ServiceTimes, SwitcherView } from "./switcher-view.ts";

type Corrections = Pick<ControlState, "corrections" | "serviceSeen">;

/**
 * Corrects profiled service times by what the switchers measure: one factor per stage, shared by its variants, because it is the
 * machine that differs, not the model. Frozen while a pod loads models, when times say nothing about the model.
 */
export function correct(state: ControlState, pipeline: Pipeline, switchers: readonly SwitcherView[]): Corrections {
  const corrections: Record<string, number> = { ...state.corrections };
  const serviceSeen: Record<string, Total> = {};
  for (const stage of pipeline.stages) {
    const weighted = weightedProfiles(stage);
    let [ms, profiledMs] = [0, 0];
    for (const view of switchers.filter(one => one.stage === stage.name)) {
      const key = podKey(view.stage, view.pod);
      const total = totalOf(weighted, view.serviceTimes);
      serviceSeen[key] = total;
      const before = state.serviceSeen[key];
      const seen = before && !isDisturbed(view, state.assignments[key]) ? evidence(before, total) : null;
      ms += seen?.ms ?? 0;
      profiledMs += seen?.profiledMs ?? 0;
    }
    if (profiledMs === 0) continue;
    const old = corrections[stage.name] ?? 1;
    const weight = Math.min(SETTINGS.correctionWeight, profiledMs / SETTINGS.correctionMemoryMs);
    corrections[stage.name] = clamp(old + weight * (ms / profiledMs - old));
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

function isDisturbed(view: SwitcherView, wanted: Assignment | undefined): boolean {
  return !view.ready || (wanted !== undefined && wanted.top !== view.variant);
}

interface WeightedProfile {
  readonly profile: Profile;
  readonly weight: number;
}

/**
 * By variant. What every batch costs beside the model weighs more in short batches, so that a light variant measures a larger factor than a heavy
 * one on the same machine: the lighter, the less it says.
 */
function weightedProfiles({ variants }: Stage): ReadonlyMap<string, WeightedProfile> {
  const profiled = variants.flatMap(({ name, profile }) => (profile ? [{ name, profile }] : []));
  const longestMs = Math.max(...profiled.map(({ profile }) => serviceMs(profile, 1)));
  return new Map(
    profiled.map(({ name, profile }) => [name, { profile, weight: Math.sqrt(serviceMs(profile, 1) / longestMs) }]),
  );
}

/** Cumulative since the switcher started. */
function totalOf(weighted: ReadonlyMap<string, WeightedProfile>, serviceTimes: readonly ServiceTimes[]): Total {
  let batches = 0;
  let ms = 0;
  let profiledMs = 0;
  for (const times of serviceTimes) {
    const known = weighted.get(times.variant);
    if (!known) continue;
    const { profile, weight } = known;
    batches += times.batches;
    ms += weight * times.totalMs;
    profiledMs += weight * times.batches * serviceMs(profile, times.rows);
  }
  return [batches, ms, profiledMs];
}

function clamp(factor: number): number {
  return Math.min(SETTINGS.correctionMax, Math.max(SETTINGS.correctionMin, factor));
}
