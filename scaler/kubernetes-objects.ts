import { z } from "zod";
import type { PipelineKey } from "../domain/pipeline.ts";
import { type LabelSelector, labelSelectorSchema } from "../runtime/label-selector.ts";
import { objectConditions } from "../runtime/object-conditions.ts";

/** What KEDA takes where a ScaledObject says nothing. */
const DEFAULT_MIN = 0;
const DEFAULT_MAX = 100;

const metadata = z.looseObject({ name: z.string(), namespace: z.string(), uid: z.string().optional() });
const count = z.int().min(0);

const scaledObjectSchema = z.looseObject({
  metadata,
  spec: z.looseObject({
    scaleTargetRef: z.looseObject({ name: z.string(), kind: z.string().optional(), apiVersion: z.string().optional() }),
    minReplicaCount: count.optional(),
    maxReplicaCount: count.optional(),
    fallback: z.looseObject({ replicas: count }).nullish(),
    triggers: z.array(z.looseObject({ type: z.string(), metadata: z.record(z.string(), z.string()).optional() })),
    advanced: z
      .looseObject({ horizontalPodAutoscalerConfig: z.looseObject({ name: z.string().optional() }).optional() })
      .optional(),
  }),
  status: z.looseObject({ hpaName: z.string().optional() }).optional(),
});

/** What a ScaledObject says that has a trigger of ours. */
export interface ScaledObjectView {
  readonly name: string;
  readonly uid: string | null;
  readonly pipeline: PipelineKey;
  readonly stage: string;
  readonly hpa: string;
  /** Plural of the kind that it scales, where it is one whose counts are read. */
  readonly target: { readonly plural: "deployments" | "statefulsets" | null; readonly name: string };
  readonly min: number;
  readonly max: number;
  /** Triggers, others than ours too. */
  readonly triggers: number;
  /** What it falls back to; null: it does not. */
  readonly fallbackReplicas: number | null;
}

/** Null: none of its triggers names a pipeline and a stage. */
export function scaledObjectView(object: unknown): ScaledObjectView | null {
  const { metadata: its, spec, status } = scaledObjectSchema.parse(object);
  const trigger = spec.triggers.find(
    one => /^external(-push)?$/.test(one.type) && one.metadata?.["pipeline"] && one.metadata["stage"],
  );
  if (!trigger) return null;
  const kind = spec.scaleTargetRef.kind ?? "Deployment";
  return {
    name: its.name,
    uid: its.uid ?? null,
    pipeline: { namespace: its.namespace, name: trigger.metadata?.["pipeline"] ?? "" },
    stage: trigger.metadata?.["stage"] ?? "",
    hpa: status?.hpaName || spec.advanced?.horizontalPodAutoscalerConfig?.name || `keda-hpa-${its.name}`,
    target: {
      plural: kind === "Deployment" ? "deployments" : kind === "StatefulSet" ? "statefulsets" : null,
      name: spec.scaleTargetRef.name,
    },
    min: spec.minReplicaCount ?? DEFAULT_MIN,
    max: spec.maxReplicaCount ?? DEFAULT_MAX,
    triggers: spec.triggers.length,
    fallbackReplicas: spec.fallback?.replicas ?? null,
  };
}

const rules = z.looseObject({ tolerance: z.union([z.string(), z.number()]).nullish() }).nullish();

const autoscalerSchema = z.looseObject({
  metadata,
  spec: z.looseObject({
    minReplicas: count.nullish(),
    maxReplicas: count,
    behavior: z.looseObject({ scaleUp: rules, scaleDown: rules }).nullish(),
  }),
  status: z.looseObject({ currentReplicas: count.nullish() }).nullish(),
});

export interface AutoscalerView {
  readonly min: number;
  readonly max: number;
  /** Null: the cluster's default holds. */
  readonly toleranceUp: number | null;
  readonly toleranceDown: number | null;
  /** At its last sync. */
  readonly current: number | null;
}

export function autoscalerView(object: unknown): AutoscalerView {
  const { spec, status } = autoscalerSchema.parse(object);
  return {
    min: spec.minReplicas ?? 1,
    max: spec.maxReplicas,
    toleranceUp: parseShare(spec.behavior?.scaleUp?.tolerance),
    toleranceDown: parseShare(spec.behavior?.scaleDown?.tolerance),
    current: status?.currentReplicas ?? null,
  };
}

/** A quantity below 1 as the API server writes it: `0`, `0.1`, `50m`. Null: there is none. */
function parseShare(quantity: string | number | null | undefined): number | null {
  if (quantity === null || quantity === undefined) return null;
  const found = /^([0-9.]+)([num]?)$/.exec(String(quantity));
  if (!found) return null;
  const units: Readonly<Record<string, number>> = { "": 1, m: 1e3, u: 1e6, n: 1e9 };
  const share = Number(found[1]) / (units[found[2] ?? ""] ?? 1);
  return Number.isNaN(share) ? null : share;
}

const targetSchema = z.looseObject({
  metadata,
  spec: z
    .looseObject({
      selector: labelSelectorSchema.nullish(),
      strategy: z.looseObject({ type: z.string().nullish() }).nullish(),
    })
    .nullish(),
  status: z
    .looseObject({
      replicas: count.optional(),
      readyReplicas: count.optional(),
      conditions: objectConditions,
    })
    .optional(),
});

/** Replicas of what is scaled. */
export interface TargetView {
  readonly replicas: number;
  readonly ready: number;
  /** Why its pods can't be made, or its rollout does not get on; null: nothing is wrong. */
  readonly trouble: string | null;
  /** A rollout ends all pods before it starts new ones. */
  readonly isRecreated: boolean;
  /** Of its pods; null: it names none. */
  readonly selector: LabelSelector | null;
}

export function targetView(object: unknown): TargetView {
  const { spec, status } = targetSchema.parse(object);
  const bad = (status?.conditions ?? []).find(
    ({ type, status: is }) =>
      (type === "ReplicaFailure" && is === "True") || (type === "Progressing" && is === "False"),
  );
  return {
    replicas: status?.replicas ?? 0,
    ready: status?.readyReplicas ?? 0,
    trouble: bad ? [bad.reason, bad.message].filter(Boolean).join(": ") || bad.type : null,
    isRecreated: spec?.strategy?.type === "Recreate",
    selector: spec?.selector ?? null,
  };
}
