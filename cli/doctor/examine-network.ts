import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import type { KubernetesClient } from "../../runtime/kubernetes.ts";
import { RESOURCES } from "../../runtime/kubernetes-resource.ts";
import { isSelected } from "../../runtime/label-selector.ts";
import { notChecked } from "./check-cluster.ts";
import { hasSwitcher, type Workload } from "./check-identity.ts";
import {
  checkNetwork,
  type NetworkPods,
  type NetworkPolicy,
  type NetworkPort,
  networkPolicySchema,
} from "./check-network.ts";
import type { Finding } from "./finding.ts";

const OPERATOR = "keda-operator";
const SWITCHERS_PORT: NetworkPort = { number: 6001, name: "grpc-switchers" };

const labels = z.record(z.string(), z.string()).nullish();
const serviceSchema = z.looseObject({
  spec: z.looseObject({
    selector: labels,
    ports: z.array(z.looseObject({ port: z.number(), targetPort: z.union([z.string(), z.number()]).nullish() })),
  }),
});
const podSchema = z.looseObject({
  metadata: z.looseObject({ labels }),
  spec: z.looseObject({
    containers: z.array(
      z.looseObject({
        ports: z.array(z.looseObject({ name: z.string().nullish(), containerPort: z.number() })).nullish(),
      }),
    ),
  }),
});
const namespaceSchema = z.looseObject({ metadata: z.looseObject({ labels }) });
const operatorSchema = z.looseObject({
  spec: z.looseObject({ template: z.looseObject({ metadata: z.looseObject({ labels }).nullish() }) }),
});

export interface NetworkQuestion {
  readonly client: KubernetesClient;
  /** The `scalerAddress` of ScaledObjects. */
  readonly address: string;
  /** Where KEDA runs: a name without a namespace is one of there. */
  readonly kedaNamespace: string;
  /** The workloads that the ScaledObjects of this address scale. */
  readonly workloads: readonly Workload[];
}

interface FoundScaler {
  readonly pods: NetworkPods;
  readonly kedaPort: NetworkPort;
}

/** Whether NetworkPolicies keep KEDA or switchers from a scaler that runs in this cluster; nothing is said of one elsewhere. */
export async function examineNetwork(question: NetworkQuestion): Promise<readonly Finding[]> {
  const { client, kedaNamespace, workloads } = question;
  const where = `scaler ${question.address}`;
  const scaler = await findScaler(question, where).catch(error => notFound(error, where));
  if (scaler === null || "kind" in scaler) return scaler === null ? [] : [scaler];
  const switchers = workloads.filter(({ template }) => hasSwitcher(template));
  const namespaces = new Set([scaler.pods.namespace, kedaNamespace, ...switchers.map(readNamespace)]);
  const policies: NetworkPolicy[] = [];
  try {
    for (const namespace of namespaces)
      await client.list(RESOURCES.networkPolicies, namespace, item => {
        const { success, data } = networkPolicySchema.safeParse(item);
        if (success) policies.push(data);
      });
  } catch (error) {
    const unread = notFound(error, where);
    return unread === null ? [] : [unread];
  }
  const operator = await findOperator(client, kedaNamespace);
  const callers = await Promise.all(
    switchers.map(async workload => ({
      what: `switchers of ${workload.where}`,
      ...(await describeNamespace(client, readNamespace(workload))),
      labels: workload.template.metadata?.labels ?? {},
    })),
  );
  return [
    ...(operator ? [checkNetwork(policies, operator, scaler.pods, scaler.kedaPort)] : []),
    ...callers.map(caller => checkNetwork(policies, caller, scaler.pods, SWITCHERS_PORT)),
  ];
}

/** Finds the pods behind an address; null where no Service of the cluster has it, or there are no pods. */
async function findScaler(
  { client, address, kedaNamespace }: NetworkQuestion,
  what: string,
): Promise<FoundScaler | null> {
  const [, host = "", number = ""] = /^(?:[a-z]+:\/{2,3})?([^:/]+):(\d+)$/.exec(address) ?? [];
  const [name = "", namespace = kedaNamespace, kind = "svc"] = host.split(".");
  if (name === "" || kind !== "svc" || /^[\d.]+$/.test(host)) return null;
  const { spec } = serviceSchema.parse(await client.get(RESOURCES.services, namespace, name));
  const { selector } = spec;
  if (!selector) return null;
  const pods: z.output<typeof podSchema>[] = [];
  await client.list(RESOURCES.pods, namespace, item => {
    const { success, data } = podSchema.safeParse(item);
    if (success && isSelected(data.metadata.labels ?? {}, { matchLabels: selector })) pods.push(data);
  });
  const [pod] = pods;
  if (!pod) return null;
  const named = pod.spec.containers.flatMap(container => container.ports ?? []);
  const target = spec.ports.find(one => one.port === Number(number))?.targetPort ?? Number(number);
  const found = named.find(one => one.name === target || one.containerPort === target);
  return {
    pods: { what, ...(await describeNamespace(client, namespace)), labels: pod.metadata.labels ?? {} },
    kedaPort: { number: found?.containerPort ?? Number(number), name: found?.name ?? null },
  };
}

/** Finds the pods of KEDA's operator; null where it is not there under its usual name. */
async function findOperator(client: KubernetesClient, namespace: string): Promise<NetworkPods | null> {
  try {
    const { spec } = operatorSchema.parse(await client.get(RESOURCES.deployments, namespace, OPERATOR));
    const what = `KEDA's operator (deployment ${namespace}/${OPERATOR})`;
    return { what, ...(await describeNamespace(client, namespace)), labels: spec.template.metadata?.labels ?? {} };
  } catch {
    return null;
  }
}

/** Kubernetes gives each namespace a label with its name; who may not read the others knows that one. */
async function describeNamespace(
  client: KubernetesClient,
  namespace: string,
): Promise<Pick<NetworkPods, "namespace" | "namespaceLabels">> {
  const own = { "kubernetes.io/metadata.name": namespace };
  try {
    const { metadata } = namespaceSchema.parse(await client.get(RESOURCES.namespaces, null, namespace));
    return { namespace, namespaceLabels: { ...metadata.labels, ...own } };
  } catch {
    return { namespace, namespaceLabels: own };
  }
}

function readNamespace({ pipeline }: Workload): string {
  return pipeline.split("/")[0] ?? "";
}

/** Gives null for what is not there, so that nothing is wrong with it. */
function notFound(error: unknown, where: string): Finding | null {
  if (VariscaleError.from(error).code === "not_found") return null;
  return notChecked("network-policy", where, error, "");
}
