import { z } from "zod";
import { labelSelectorSchema } from "../../runtime/label-selector.ts";
import { objectConditions as conditions } from "../../runtime/object-conditions.ts";

const metadata = z.looseObject({
  name: z.string(),
  namespace: z.string().default(""),
  annotations: z.record(z.string(), z.string()).nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
  creationTimestamp: z.string().nullish(),
  deletionTimestamp: z.string().nullish(),
  managedFields: z
    .array(
      z.looseObject({
        manager: z.string().default("unknown"),
        subresource: z.string().nullish(),
        fieldsV1: z.looseObject({ "f:spec": z.looseObject({}).nullish() }).nullish(),
      }),
    )
    .nullish(),
});

const trigger = z.looseObject({
  type: z.string(),
  metricType: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).default({}),
  authenticationRef: z.looseObject({ name: z.string(), kind: z.string().nullish() }).nullish(),
});

const scalingRules = z
  .looseObject({
    stabilizationWindowSeconds: z.number().nullish(),
    selectPolicy: z.string().nullish(),
    tolerance: z.union([z.string(), z.number()]).nullish(),
    policies: z.array(z.looseObject({ type: z.string(), value: z.number(), periodSeconds: z.number() })).nullish(),
  })
  .nullish();

const behavior = z.looseObject({ scaleUp: scalingRules, scaleDown: scalingRules }).nullish();

/** What the checks read of a ScaledObject. */
export const scaledObjectSchema = z.looseObject({
  metadata,
  spec: z.looseObject({
    scaleTargetRef: z.looseObject({
      name: z.string(),
      kind: z.string().nullish(),
      apiVersion: z.string().nullish(),
    }),
    minReplicaCount: z.number().nullish(),
    maxReplicaCount: z.number().nullish(),
    fallback: z.looseObject({ replicas: z.number(), behavior: z.string().nullish() }).nullish(),
    advanced: z
      .looseObject({
        horizontalPodAutoscalerConfig: z.looseObject({ name: z.string().nullish(), behavior }).nullish(),
      })
      .nullish(),
    triggers: z.array(trigger),
  }),
  status: z.looseObject({ hpaName: z.string().nullish(), conditions }).nullish(),
});

export const autoscalerSchema = z.looseObject({
  metadata,
  spec: z.looseObject({ minReplicas: z.number().nullish(), maxReplicas: z.number(), behavior }),
  status: z.looseObject({ conditions }).nullish(),
});

const container = z.looseObject({
  name: z.string(),
  command: z.array(z.string()).nullish(),
  args: z.array(z.string()).nullish(),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).nullish(),
});

const projectedToken = z.looseObject({ path: z.string(), audience: z.string().nullish() });

const volume = z.looseObject({
  name: z.string(),
  projected: z
    .looseObject({ sources: z.array(z.looseObject({ serviceAccountToken: projectedToken.nullish() })).nullish() })
    .nullish(),
});

const podTemplate = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).nullish() }).nullish(),
  spec: z.looseObject({
    serviceAccountName: z.string().nullish(),
    initContainers: z.array(container).nullish(),
    containers: z.array(container).default([]),
    volumes: z.array(volume).nullish(),
  }),
});

const share = z.union([z.string(), z.number()]).nullish();

/** What is scaled: a Deployment, or a StatefulSet. */
export const targetSchema = z.looseObject({
  kind: z.string().nullish(),
  metadata,
  spec: z
    .looseObject({
      replicas: z.number().nullish(),
      selector: labelSelectorSchema.nullish(),
      template: podTemplate.nullish(),
      strategy: z
        .looseObject({
          type: z.string().nullish(),
          rollingUpdate: z.looseObject({ maxSurge: share, maxUnavailable: share }).nullish(),
        })
        .nullish(),
    })
    .default({}),
  status: z.looseObject({ conditions }).nullish(),
});

export type ScaledObject = z.output<typeof scaledObjectSchema>;
export type Autoscaler = z.output<typeof autoscalerSchema>;
export type Target = z.output<typeof targetSchema>;
export type PodTemplate = z.output<typeof podTemplate>;
export type Trigger = z.output<typeof trigger>;
export type ScalingRules = NonNullable<z.output<typeof scalingRules>>;

/** The trigger that asks a variscale scaler; undefined: none does. */
export function ourTrigger({ spec }: ScaledObject): Trigger | undefined {
  return spec.triggers.find(
    ({ type, metadata: keys }) => /^external(-push)?$/.test(type) && "pipeline" in keys && "stage" in keys,
  );
}

export function hpaNameOf({ metadata: its, spec, status }: ScaledObject): string {
  return status?.hpaName || spec.advanced?.horizontalPodAutoscalerConfig?.name || `keda-hpa-${its.name}`;
}
