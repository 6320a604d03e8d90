import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import { objectName } from "./object-name.ts";

/** KEDA goes to zero this long after a stage went inactive; it is inactive only after minutes without load. */
const COOLDOWN_SECONDS = 30;
const POLLING_SECONDS = 15;

/** What is scaled; `apiVersion` where it is no Deployment or StatefulSet. */
export interface ScaleTarget {
  readonly kind: string;
  readonly name: string;
  readonly apiVersion: string | null;
}

export interface ScaledObjectOptions {
  /** host:port of the scaler for KEDA. */
  readonly scalerAddress: string;
  /** Name of the TriggerAuthentication with the certificates; null: plaintext. */
  readonly authentication: string | null;
  readonly target: ScaleTarget;
}

/**
 * The ScaledObject that makes KEDA set exactly the replicas that it is told: one trigger, since of several the HPA takes the highest;
 * AverageValue with target 1; no tolerance, or the HPA leaves changes of up to 10 % undone; no window and no step limits, since the
 * scaler has its own; a fallback that never takes replicas away.
 */
export function scaledObjectOf(pipeline: Pipeline, stage: Stage, options: ScaledObjectOptions): object {
  const { key } = pipeline;
  const { min, max } = stage.replicas;
  const { kind, name, apiVersion } = options.target;
  return {
    apiVersion: "keda.sh/v1alpha1",
    kind: "ScaledObject",
    metadata: { name: objectName(key.name, stage.name), namespace: key.namespace },
    spec: {
      scaleTargetRef: { ...(apiVersion === null ? {} : { apiVersion }), kind, name },
      minReplicaCount: min,
      maxReplicaCount: max,
      ...(min === 0 ? { pollingInterval: POLLING_SECONDS, cooldownPeriod: COOLDOWN_SECONDS } : {}),
      fallback: { failureThreshold: 3, replicas: Math.max(1, min), behavior: "currentReplicasIfHigher" },
      advanced: {
        horizontalPodAutoscalerConfig: {
          behavior: {
            scaleUp: {
              stabilizationWindowSeconds: 0,
              tolerance: "0",
              selectPolicy: "Max",
              policies: [{ type: "Pods", value: 1000, periodSeconds: 15 }],
            },
            scaleDown: {
              stabilizationWindowSeconds: 0,
              tolerance: "0",
              selectPolicy: "Max",
              policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
            },
          },
        },
      },
      triggers: [
        {
          type: "external-push",
          metricType: "AverageValue",
          metadata: {
            scalerAddress: options.scalerAddress,
            ...(options.authentication === null ? {} : { enableTLS: "true" }),
            pipeline: key.name,
            stage: stage.name,
          },
          ...(options.authentication === null ? {} : { authenticationRef: { name: options.authentication } }),
        },
      ],
    },
  };
}

/** KEDA's client certificate and the CA of the scaler, from a Secret as cert-manager writes them. */
export function triggerAuthenticationOf(namespace: string, secret: string): object {
  const keys = { caCert: "ca.crt", tlsClientCert: "tls.crt", tlsClientKey: "tls.key" };
  return {
    apiVersion: "keda.sh/v1alpha1",
    kind: "TriggerAuthentication",
    metadata: { name: secret, namespace },
    spec: {
      secretTargetRef: Object.entries(keys).map(([parameter, key]) => ({ parameter, name: secret, key })),
    },
  };
}
