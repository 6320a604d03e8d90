import { NEWCOMER } from "../control/assignments/assignment-issuer.ts";
import { type ControlState, podKey } from "../control/control-state.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { LiveInput } from "./live-pipeline.ts";

/** Switchers connect within this time after the scaler started, where there are any. */
const CONNECT_WITHIN_MS = 60_000;

/** Stages that a switcher was ever given an Assignment for. */
export function assignedStages(pipeline: Pipeline, state: ControlState): ReadonlySet<string> {
  return new Set(pipeline.stages.map(stage => stage.name).filter(name => wasAssigned(state, name)));
}

function wasAssigned(state: ControlState, stage: string): boolean {
  return Object.keys(state.assignments).some(
    key => key.startsWith(podKey(stage, "")) && key !== podKey(stage, NEWCOMER),
  );
}

/**
 * The counts of stages whose replicas have no switchers. Switchers that are still to connect after a start have time for it.
 *
 * @param switched stages that switchers connected for before.
 */
export function withoutSwitchers(
  ready: LiveInput["readyReplicas"],
  switched: ReadonlySet<string>,
  switchers: readonly SwitcherView[],
  sinceStartMs: number,
): LiveInput["readyReplicas"] {
  if (Math.abs(sinceStartMs) < CONNECT_WITHIN_MS) return {};
  const isSwitched = (name: string) => switched.has(name) || switchers.some(view => view.stage === name);
  return Object.fromEntries(Object.entries(ready).filter(([name]) => !isSwitched(name)));
}
