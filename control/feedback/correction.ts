import type { Pipeline } from "../../domain/pipeline.ts";
import { type ControlState, podKey } from "../control-state.ts";
import { SETTINGS } from "../settings.ts";
import type { SwitcherView } from "../switcher-view.ts";

type Corrections = Pick<ControlState, "corrections" | "timedBatches">;

/**
 * Corrects measured service times by the factors that switchers report and choose their own batches with (`domain/serving/batch-times.ts`): one for
 * each stage, shared by its variants, because it is the machine that differs, not the model.
 */
export function correct(state: ControlState, pipeline: Pipeline, switchers: readonly SwitcherView[]): Corrections {
  const corrections: Record<string, number> = { ...state.corrections };
  const timedBatches: Record<string, number> = {};
  for (const { stage, pod, timedBatches: all } of switchers)
    if (all !== undefined) timedBatches[podKey(stage, pod)] = all;
  for (const { name } of pipeline.stages) {
    const told = averageFactors(
      state.timedBatches,
      switchers.filter(({ stage }) => stage === name),
    );
    const old = corrections[name] ?? 1;
    // Switchers of earlier versions don't say, and what was learnt before them may be of another machine.
    const isSilent = switchers.some(({ stage }) => stage === name) && !switchers.some(isTelling(name));
    if (told === null && isSilent && name in corrections)
      corrections[name] = old + SETTINGS.correctionWeight * (1 - old);
    if (told === null) continue;
    const weight = SETTINGS.correctionWeight * Math.min(1, told.batches / SETTINGS.correctionBatches);
    corrections[name] = old + weight * (told.factor - old);
  }
  return { corrections, timedBatches };
}

function isTelling(name: string): (view: SwitcherView) => boolean {
  return ({ stage, timedBatches }) => stage === name && timedBatches !== undefined;
}

/** Averages the factors of pods by the batches that they have run since the last tick; null where they have run none, or don't say. */
function averageFactors(
  before: ControlState["timedBatches"],
  switchers: readonly SwitcherView[],
): { readonly factor: number; readonly batches: number } | null {
  const told = switchers.flatMap(({ stage, pod, timeFactor = 1, timedBatches = 0 }) => {
    // A pod that is new here, or counts from zero again, says nothing yet.
    const more = timedBatches - (before[podKey(stage, pod)] ?? timedBatches);
    return more > 0 ? [{ more, factor: timeFactor }] : [];
  });
  const counts = told.map(({ more }) => more).toSorted((a, b) => a - b);
  // No pod counts more than most others do: one that lies must not outvote them.
  const most = Math.min(SETTINGS.correctionMostBatches, counts[(counts.length - 1) >> 1] ?? 0);
  let [batches, sum] = [0, 0];
  for (const { more, factor } of told) {
    const weight = Math.min(more, most);
    batches += weight;
    sum += weight * Math.min(SETTINGS.correctionMax, Math.max(SETTINGS.correctionMin, factor));
  }
  return batches > 0 ? { factor: sum / batches, batches } : null;
}
