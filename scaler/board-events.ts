import type { PipelineBoard } from "../control/board.ts";
import { findStage, type Pipeline } from "../domain/pipeline.ts";
import type { ScaledObjectEvent } from "./event-recorder.ts";
import { boundsOf, type LivePipeline, type LiveStage } from "./live-pipeline.ts";
import type { PodTrouble } from "./pod-troubles.ts";

/**
 * What the owners of ScaledObjects must know of a board: what keeps the stage from its replicas, by what Kubernetes has of it. The same as
 * `variscale doctor` finds, as far as the scaler watches it.
 *
 * @param hpaTolerance of the cluster's HPAs that name none.
 */
export function eventsOf(
  pipeline: Pipeline,
  board: PipelineBoard,
  live: LivePipeline,
  hpaTolerance: number,
): readonly ScaledObjectEvent[] {
  const events: ScaledObjectEvent[] = [];
  for (const [name, stage] of Object.entries(live)) {
    const { scaledObject, autoscaler } = stage;
    const tell = (reason: string, note: string) =>
      events.push({
        scaledObject: { namespace: pipeline.key.namespace, name: scaledObject.name },
        type: "Warning",
        reason,
        note,
      });
    const isExact = (tolerance: number | null): boolean => (tolerance ?? hpaTolerance) === 0;
    if (autoscaler && !(isExact(autoscaler.toleranceUp) && isExact(autoscaler.toleranceDown)))
      tell(
        "VariscaleTolerance",
        `HPA ${scaledObject.hpa} leaves small changes of replicas undone: set advanced.horizontalPodAutoscalerConfig.behavior.scaleUp.tolerance and scaleDown.tolerance to "0"; Kubernetes before 1.35 drops the field unless the gate HPAConfigurableTolerance is on. Until then more replicas than needed are asked for where a count can't be reached.`,
      );
    for (const [reason, note] of troublesOf(stage)) tell(reason, note);
    const conflict = boundsConflict(pipeline, board, name, boundsOf(stage));
    if (conflict) tell("VariscaleBounds", conflict);
  }
  return events;
}

/** What is told of a pipeline as a whole, to each of its ScaledObjects; null: nothing is wrong there. */
export interface WholeTroubles {
  /** Why what now describes the pipeline is not taken. */
  readonly refusal: string | null;
  /** Why it goes on without the state that was stored. */
  readonly unusableState: string | null;
}

export function eventsOfWhole(
  { key }: Pipeline,
  live: LivePipeline,
  { refusal, unusableState }: WholeTroubles,
): readonly ScaledObjectEvent[] {
  const told: Pick<ScaledObjectEvent, "reason" | "note" | "isOnce">[] = [];
  if (refusal !== null)
    told.push({
      reason: "VariscalePipelineRefused",
      note: `the last good one of pipeline ${key.name} stays: ${refusal}`,
    });
  // What happened at the start, and is so until the process ends.
  if (unusableState !== null)
    told.push({ reason: "VariscaleStateUnusable", note: `pipeline ${key.name}: ${unusableState}`, isOnce: true });
  return Object.values(live).flatMap(({ scaledObject }) =>
    told.map(one => ({
      scaledObject: { namespace: key.namespace, name: scaledObject.name },
      type: "Warning" as const,
      ...one,
    })),
  );
}

/** @param unready why pods of stages that are stuck do not become ready. */
export function eventsOfStuck(
  { key }: Pipeline,
  live: LivePipeline,
  unready: ReadonlyMap<string, readonly PodTrouble[]>,
): readonly ScaledObjectEvent[] {
  return Object.entries(live).flatMap(([stage, { scaledObject }]) => {
    const why = unready.get(stage);
    if (!why) return [];
    return [
      {
        scaledObject: { namespace: key.namespace, name: scaledObject.name },
        type: "Warning" as const,
        reason: "VariscaleStuck",
        // Their counts and names change all the time.
        key: JSON.stringify([stage, ...why.map(trouble => trouble.reason).sort()]),
        note: `pods of stage ${stage} do not become ready, and plans are made with those that are: ${why.map(({ what }) => what).join("; ")}`,
      },
    ];
  });
}

/** Reasons and notes. */
function troublesOf({ scaledObject, target }: LiveStage): readonly (readonly [string, string])[] {
  const found: [string, string][] = [];
  if (scaledObject.triggers > 1)
    found.push([
      "VariscaleTriggers",
      `the ScaledObject has ${scaledObject.triggers} triggers: the HPA takes the highest of their counts, and one that fails stops all of them; remove the others`,
    ]);
  if (scaledObject.fallbackReplicas === 0)
    found.push([
      "VariscaleFallback",
      "fallback.replicas is 0: the stage goes away when the scaler gives no count; set it to at least 1, with behavior currentReplicasIfHigher",
    ]);
  if (target?.isRecreated)
    found.push([
      "VariscaleRollout",
      `${scaledObject.target.name} has the strategy Recreate: a rollout ends all pods at once, and requests are lost; use RollingUpdate with maxUnavailable 0`,
    ]);
  if (target && target.trouble !== null)
    found.push(["VariscaleRollout", `pods of ${scaledObject.target.name} are not made: ${target.trouble}`]);
  return found;
}

/** Why live bounds keep the plan from what the pipeline file allows; null: they do not. */
function boundsConflict(
  pipeline: Pipeline,
  board: PipelineBoard,
  name: string,
  live: { readonly min: number; readonly max: number },
): string | null {
  const file = findStage(pipeline, name)?.replicas;
  if (!file) return null;
  if (live.min > file.max || live.max < file.min)
    return `the ScaledObject allows ${live.min} to ${live.max} replicas and the pipeline file ${file.min} to ${file.max} for stage ${name}: no count is within both; make them meet`;
  const goal = board.stages.find(stage => stage.stage === name)?.replicasGoal;
  const isShort = board.plan !== null && (!board.plan.feasible || board.plan.binding === "maxReplicas");
  if (isShort && goal !== undefined && live.max < file.max && goal >= live.max)
    return `maxReplicaCount ${live.max} keeps stage ${name} from the replicas that the load needs: the pipeline file allows ${file.max}`;
  return null;
}
