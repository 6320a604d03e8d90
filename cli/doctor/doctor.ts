import type { Pipeline } from "../../domain/pipeline.ts";
import type { KubernetesClient } from "../../runtime/kubernetes.ts";
import { type KubernetesResource, RESOURCES } from "../../runtime/kubernetes-resource.ts";
import { checkAutoscaler } from "./check-autoscaler.ts";
import { type CertificatePair, checkCertificate } from "./check-certificate.ts";
import { checkCluster, notChecked } from "./check-cluster.ts";
import { checkCoverage } from "./check-coverage.ts";
import { checkScaledObject, checkTarget, hasNoAutoscaler } from "./check-scaled-object.ts";
import { checkScaler } from "./check-scaler.ts";
import {
  autoscalerSchema,
  hpaNameOf,
  ourTrigger,
  type ScaledObject,
  scaledObjectSchema,
  targetSchema,
} from "./cluster-objects.ts";
import { type Finding, ok, warn } from "./finding.ts";
import { readTriggerTls } from "./trigger-tls.ts";

export interface DoctorOptions {
  readonly client: KubernetesClient;
  /** Null: all ScaledObjects with a trigger for variscale. */
  readonly pipeline: Pipeline | null;
  /** Null: all namespaces. */
  readonly namespace: string | null;
  /** Where KEDA runs. */
  readonly kedaNamespace: string;
  /** The scaler's own certificate; null: not given. */
  readonly scalerPair: (CertificatePair & { readonly where: string }) | null;
  readonly nowMs: number;
}

/** Looks at a cluster and says what is right and wrong about how variscale is set up there. It changes nothing. */
export async function examine(options: DoctorOptions): Promise<readonly Finding[]> {
  const { client, pipeline, namespace } = options;
  const cluster = await checkCluster(client);
  if (cluster.length === 1) return cluster;
  const scaledObjects: ScaledObject[] = [];
  try {
    await client.list(RESOURCES.scaledObjects, namespace, item => {
      const parsed = scaledObjectSchema.safeParse(item);
      if (parsed.success && isWanted(parsed.data, pipeline)) scaledObjects.push(parsed.data);
    });
  } catch (error) {
    return [...cluster, notChecked("scaled-objects", "scaledobjects.keda.sh", error, "install KEDA 2.21 or later")];
  }
  const findings = [...cluster];
  if (pipeline) findings.push(...checkCoverage(pipeline, scaledObjects));
  else if (scaledObjects.length === 0)
    findings.push(
      warn(
        "scaled-objects",
        namespace === null ? "the cluster" : `namespace ${namespace}`,
        "no ScaledObject has a trigger with `pipeline` and `stage`",
        "`variscale manifests PIPELINE` writes them; look elsewhere with --namespace or --all-namespaces",
      ),
    );
  for (const scaledObject of scaledObjects) findings.push(...(await examineOne(options, scaledObject)));
  const { scalerPair } = options;
  if (scalerPair) {
    const hosts = new Set(scaledObjects.map(hostOf).filter(host => host !== ""));
    findings.push(...checkCertificate(scalerPair, [...hosts], scalerPair.where, options.nowMs));
  }
  return findings;
}

function isWanted(scaledObject: ScaledObject, pipeline: Pipeline | null): boolean {
  const trigger = ourTrigger(scaledObject);
  if (!trigger) return false;
  if (!pipeline) return true;
  const { namespace, name } = pipeline.key;
  return scaledObject.metadata.namespace === namespace && trigger.metadata["pipeline"] === name;
}

async function examineOne(options: DoctorOptions, scaledObject: ScaledObject): Promise<Finding[]> {
  const { client, kedaNamespace, nowMs } = options;
  const trigger = await readTriggerTls(client, scaledObject, kedaNamespace);
  const pair = trigger.tls?.pair;
  return [
    ...checkScaledObject(scaledObject),
    ...(await examineAutoscaler(client, scaledObject)),
    ...(await examineTarget(client, scaledObject)),
    ...trigger.findings,
    ...(pair ? checkCertificate(pair, [], trigger.where, nowMs) : []),
    // Without its certificates a refusal would say nothing.
    ...(trigger.findings.length > 0 ? [] : await checkScaler(scaledObject, trigger.tls)),
  ];
}

async function examineAutoscaler(client: KubernetesClient, scaledObject: ScaledObject): Promise<readonly Finding[]> {
  const { namespace } = scaledObject.metadata;
  const name = hpaNameOf(scaledObject);
  if (hasNoAutoscaler(scaledObject))
    return [ok("hpa", `hpa ${namespace}/${name}`, "is not there while the ScaledObject is paused; KEDA makes it then")];
  try {
    const autoscaler = autoscalerSchema.parse(await client.get(RESOURCES.autoscalers, namespace, name));
    return checkAutoscaler(scaledObject, autoscaler);
  } catch (error) {
    const fix = "see the ScaledObject's conditions: KEDA makes the HPA once the scaler answers and nothing is paused";
    return [notChecked("hpa", `hpa ${namespace}/${name}`, error, fix)];
  }
}

const TARGETS: Readonly<Record<string, KubernetesResource>> = {
  Deployment: RESOURCES.deployments,
  StatefulSet: RESOURCES.statefulSets,
};

async function examineTarget(client: KubernetesClient, scaledObject: ScaledObject): Promise<readonly Finding[]> {
  const { namespace } = scaledObject.metadata;
  const { kind, name } = scaledObject.spec.scaleTargetRef;
  const resource = TARGETS[kind ?? "Deployment"];
  if (!resource) return [];
  const where = `${(kind ?? "Deployment").toLowerCase()} ${namespace}/${name}`;
  try {
    return [checkTarget(targetSchema.parse(await client.get(resource, namespace, name)), where)];
  } catch (error) {
    return [notChecked("target", where, error, "create it, or correct `scaleTargetRef`")];
  }
}

function hostOf(scaledObject: ScaledObject): string {
  const address = ourTrigger(scaledObject)?.metadata["scalerAddress"] ?? "";
  const url = `grpc://${address.replace(/^[a-z]+:\/{2,3}/, "")}`;
  // What is no address is told by the check of the scaler.
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : "";
}
