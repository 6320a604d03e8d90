import type { PipelineBoard } from "../control/board.ts";
import { findStage, type Pipeline } from "../domain/pipeline.ts";
import type { ScaledObjectEvent } from "./event-recorder.ts";
import { boundsOf, type LivePipeline } from "./live-pipeline.ts";

/**
 * What the owners of ScaledObjects must know of a board: a tolerance that is in the way, bounds that shut the plan out.
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
    const conflict = boundsConflict(pipeline, board, name, boundsOf(stage));
    if (conflict) tell("VariscaleBounds", conflict);
  }
  return events;
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
