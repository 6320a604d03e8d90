import type { TickInput } from "../control/tick-input.ts";
import type { HpaScaling } from "../optimizer/reachable-count.ts";
import type { AutoscalerView, ScaledObjectView, TargetView } from "./kubernetes-objects.ts";

/** What Kubernetes has of one stage; null: that is not there, or was not seen yet. */
export interface LiveStage {
  readonly scaledObject: ScaledObjectView;
  readonly autoscaler: AutoscalerView | null;
  readonly target: TargetView | null;
}

/** What Kubernetes has of one pipeline, by stage. */
export type LivePipeline = Readonly<Record<string, LiveStage>>;

/** The input of a tick that comes from the cluster, and from the load source beside the load. */
export type LiveInput = Pick<
  TickInput,
  "bounds" | "scaling" | "readyReplicas" | "liveReplicas" | "unready" | "lastMinute"
>;

/** Where there is no Kubernetes. */
export const NO_LIVE: LiveInput = { bounds: {}, scaling: {}, readyReplicas: {} };

/**
 * Bounds of the ScaledObject and of its HPA together. An HPA has no minimum of 0: where the ScaledObject has, the HPA's 1 says nothing.
 */
export function boundsOf({ scaledObject, autoscaler }: LiveStage): { readonly min: number; readonly max: number } {
  const { min, max } = scaledObject;
  if (!autoscaler) return { min, max };
  return { min: autoscaler.min <= 1 ? min : Math.max(min, autoscaler.min), max: Math.min(max, autoscaler.max) };
}

/**
 * How its HPA scales; null where its count is not known. Before there is an HPA nothing can be said of its tolerance, and it is taken
 * for exact.
 *
 * @param defaultTolerance of the cluster's HPAs that name none.
 */
export function scalingOf({ autoscaler, target }: LiveStage, defaultTolerance: number): HpaScaling | null {
  const current = target?.replicas ?? autoscaler?.current ?? null;
  if (current === null) return null;
  if (!autoscaler) return { current, toleranceUp: 0, toleranceDown: 0, max: Number.MAX_SAFE_INTEGER };
  return {
    current,
    toleranceUp: autoscaler.toleranceUp ?? defaultTolerance,
    toleranceDown: autoscaler.toleranceDown ?? defaultTolerance,
    max: autoscaler.max,
  };
}
