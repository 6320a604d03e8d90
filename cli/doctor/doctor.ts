import type { Pipeline } from "../../domain/pipeline.ts";
import type { KubernetesClient } from "../../runtime/kubernetes.ts";
import { type KubernetesResource, RESOURCES } from "../../runtime/kubernetes-resource.ts";
import { isSelected } from "../../runtime/label-selector.ts";
import { packageVersion } from "../../runtime/version.ts";
import { type NamingObject, namingObject } from "../../scaler/described-pipeline.ts";
import { type Pod, podSchema } from "../../scaler/pod-troubles.ts";
import type { ScalerAccess } from "../scaler/scaler-client.ts";
import { checkAutoscaler } from "./check-autoscaler.ts";
import { type CertificatePair, checkCertificate } from "./check-certificate.ts";
import { checkClock } from "./check-clock.ts";
import { checkCluster, notChecked } from "./check-cluster.ts";
import { checkCoverage } from "./check-coverage.ts";
import type { Workload } from "./check-identity.ts";
import { checkPods } from "./check-pods.ts";
import { checkRollout } from "./check-rollout.ts";
import { checkScaledObject, checkTarget, hasNoAutoscaler } from "./check-scaled-object.ts";
import { checkScaler } from "./check-scaler.ts";
import type { ClockReading } from "./clock-reading.ts";
import {
  type Autoscaler,
  autoscalerSchema,
  hpaNameOf,
  ourTrigger,
  type ScaledObject,
  scaledObjectSchema,
  type Target,
  targetSchema,
} from "./cluster-objects.ts";
import { examineAnnotations } from "./examine-annotations.ts";
import { examineNetwork } from "./examine-network.ts";
import { examineScaler } from "./examine-scaler.ts";
import { type Finding, ok, warn } from "./finding.ts";
import { askKubernetes, scalerHttp } from "./scaler-http.ts";
import { readTriggerTls } from "./trigger-tls.ts";

export interface DoctorOptions {
  readonly client: KubernetesClient;
  /** Null: all ScaledObjects with a trigger for variscale. */
  readonly pipeline: Pipeline | null;
  /** Null: all namespaces. */
  readonly namespace: string | null;
  /** Where KEDA runs. */
  readonly kedaNamespace: string;
  /** It is null where port 8080 of the host that the ScaledObjects name is meant. */
  readonly scaler: ScalerAccess | null;
  /** The scaler's own certificate; null: not given. */
  readonly scalerPair: (CertificatePair & { readonly where: string }) | null;
  readonly nowMs: number;
}

/** Looks at a cluster and says what is right and wrong about how variscale is set up there. It changes nothing. */
export async function examine(options: DoctorOptions): Promise<readonly Finding[]> {
  const { client, pipeline, namespace } = options;
  const cluster = await checkCluster(client, options.kedaNamespace);
  if (cluster.length === 1) return cluster;
  // It answered just now; if it does not any more, the next question says so.
  const clock = await askKubernetes(client.config, "/version").then(
    answer => answer.clock,
    () => null,
  );
  const scaledObjects: ScaledObject[] = [];
  const naming: NamingObject[] = [];
  try {
    await client.list(RESOURCES.scaledObjects, namespace, item => {
      const { success, data } = scaledObjectSchema.safeParse(item);
      if (!success) return;
      if (isWanted(data, pipeline)) scaledObjects.push(data);
      const named = namingObject(item);
      if (named && isNaming(named, pipeline)) naming.push(named);
    });
  } catch (error) {
    return [...cluster, notChecked("scaled-objects", "scaledobjects.keda.sh", error, "install KEDA 2.21 or later")];
  }
  const findings = [...cluster, ...checkClock(clock, client.config.server, "this machine's")];
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
  findings.push(...(await examineAnnotations(client, naming)));
  const examined: ExaminedObject[] = [];
  const namespaces = new Set([options.kedaNamespace, ...scaledObjects.map(({ metadata }) => metadata.namespace)]);
  for (const scaledObject of scaledObjects) {
    const one = await examineOne(options, scaledObject, namespaces);
    findings.push(...one.findings);
    examined.push({ scaledObject, workload: one.workload, naming: naming.find(named => isOf(named, scaledObject)) });
  }
  findings.push(...(await examineScalers(options, examined, clock)));
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

function isNaming({ namespace, pipeline: name }: NamingObject, pipeline: Pipeline | null): boolean {
  return pipeline === null || (namespace === pipeline.key.namespace && name === pipeline.key.name);
}

function isOf({ namespace, name }: NamingObject, { metadata }: ScaledObject): boolean {
  return namespace === metadata.namespace && name === metadata.name;
}

/** A ScaledObject, with what else was read of it. */
interface ExaminedObject {
  readonly scaledObject: ScaledObject;
  /** Null: what it scales could not be read, or makes no pods by itself. */
  readonly workload: Workload | null;
  /** Undefined: it names no ConfigMap. */
  readonly naming: NamingObject | undefined;
}

interface ExaminedTarget {
  readonly findings: readonly Finding[];
  readonly workload: Workload | null;
}

async function examineOne(
  options: DoctorOptions,
  scaledObject: ScaledObject,
  namespaces: ReadonlySet<string>,
): Promise<ExaminedTarget> {
  const { client, kedaNamespace, nowMs } = options;
  const trigger = await readTriggerTls(client, scaledObject, kedaNamespace);
  const pair = trigger.tls?.pair;
  const { autoscaler, findings } = await examineAutoscaler(client, scaledObject);
  const target = await examineTarget(client, scaledObject, { autoscaler, nowMs });
  return {
    workload: target.workload,
    findings: [
      ...checkScaledObject(scaledObject),
      ...findings,
      ...target.findings,
      ...trigger.findings,
      ...(pair ? checkCertificate(pair, [], trigger.where, nowMs) : []),
      // Without its certificates a refusal would say nothing.
      ...(trigger.findings.length > 0 ? [] : await checkScaler(scaledObject, trigger.tls, namespaces)),
    ],
  };
}

/** What each scaler says of itself and of its pipelines: once, however many ScaledObjects name them. */
async function examineScalers(
  { client, kedaNamespace, scaler }: DoctorOptions,
  examined: readonly ExaminedObject[],
  apiServerClock: ClockReading | null,
): Promise<readonly Finding[]> {
  const byAddress = new Map<string, ExaminedObject[]>();
  for (const one of examined) {
    const { scalerAddress = "" } = ourTrigger(one.scaledObject)?.metadata ?? {};
    // What is no address is told by the check of the scaler.
    if (hostOf(one.scaledObject) === "") continue;
    byAddress.set(scalerAddress, [...(byAddress.get(scalerAddress) ?? []), one]);
  }
  const findings: Finding[] = [];
  for (const [address, all] of byAddress) {
    const workloads = all.flatMap(({ workload }) => workload ?? []);
    findings.push(
      ...(await examineScaler({
        ask: scalerHttp(scaler, address, kedaNamespace, client.config),
        where: `scaler ${address}`,
        pipelines: [...new Set(all.map(({ scaledObject }) => pipelineOf(scaledObject)))],
        workloads,
        naming: all.flatMap(one => one.naming ?? []),
        apiServerClock,
        ownVersion: packageVersion,
      })),
      ...(await examineNetwork({ client, address, kedaNamespace, workloads })),
    );
  }
  return findings;
}

interface ExaminedAutoscaler {
  /** Null: it is not there, or may not be looked at. */
  readonly autoscaler: Autoscaler | null;
  readonly findings: readonly Finding[];
}

async function examineAutoscaler(client: KubernetesClient, scaledObject: ScaledObject): Promise<ExaminedAutoscaler> {
  const { namespace } = scaledObject.metadata;
  const name = hpaNameOf(scaledObject);
  const where = `hpa ${namespace}/${name}`;
  if (hasNoAutoscaler(scaledObject)) {
    const paused = ok("hpa", where, "is not there while the ScaledObject is paused; KEDA makes it then");
    return { autoscaler: null, findings: [paused] };
  }
  try {
    const autoscaler = autoscalerSchema.parse(await client.get(RESOURCES.autoscalers, namespace, name));
    return { autoscaler, findings: checkAutoscaler(scaledObject, autoscaler) };
  } catch (error) {
    const fix = "see the ScaledObject's conditions: KEDA makes the HPA once the scaler answers and nothing is paused";
    return { autoscaler: null, findings: [notChecked("hpa", where, error, fix)] };
  }
}

const TARGETS: Readonly<Record<string, KubernetesResource>> = {
  Deployment: RESOURCES.deployments,
  StatefulSet: RESOURCES.statefulSets,
};

async function examineTarget(
  client: KubernetesClient,
  scaledObject: ScaledObject,
  { autoscaler, nowMs }: { readonly autoscaler: Autoscaler | null; readonly nowMs: number },
): Promise<ExaminedTarget> {
  const { namespace } = scaledObject.metadata;
  const { name } = scaledObject.spec.scaleTargetRef;
  const kind = scaledObject.spec.scaleTargetRef.kind ?? "Deployment";
  const resource = TARGETS[kind];
  if (!resource) return { findings: [], workload: null };
  const where = `${kind.toLowerCase()} ${namespace}/${name}`;
  let target: Target;
  try {
    target = { ...targetSchema.parse(await client.get(resource, namespace, name)), kind };
  } catch (error) {
    const unread = notChecked("target", where, error, "create it, or correct `scaleTargetRef`");
    return { findings: [unread], workload: null };
  }
  const { template } = target.spec;
  const stage = ourTrigger(scaledObject)?.metadata["stage"] ?? "";
  return {
    workload: template ? { where, template, pipeline: pipelineOf(scaledObject), stage } : null,
    findings: [
      checkTarget(target, where),
      ...checkRollout(target, autoscaler, where),
      ...(await examinePods(client, target, { where, nowMs })),
    ],
  };
}

async function examinePods(
  client: KubernetesClient,
  { metadata, spec }: Target,
  { where, nowMs }: { readonly where: string; readonly nowMs: number },
): Promise<readonly Finding[]> {
  const { selector } = spec;
  if (!selector) return [];
  const pods: Pod[] = [];
  try {
    await client.list(RESOURCES.pods, metadata.namespace, item => {
      const { success, data } = podSchema.safeParse(item);
      if (success && isSelected(data.metadata.labels ?? {}, selector)) pods.push(data);
    });
  } catch (error) {
    return [notChecked("pods", where, error, "see the API server's log")];
  }
  return checkPods(pods, where, nowMs);
}

/** `namespace/name`. */
function pipelineOf(scaledObject: ScaledObject): string {
  return `${scaledObject.metadata.namespace}/${ourTrigger(scaledObject)?.metadata["pipeline"] ?? ""}`;
}

function hostOf(scaledObject: ScaledObject): string {
  const address = ourTrigger(scaledObject)?.metadata["scalerAddress"] ?? "";
  const url = `grpc://${address.replace(/^[a-z]+:\/{2,3}/, "")}`;
  // What is no address is told by the check of the scaler.
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : "";
}
