/** A kind of object of the API server. */
export interface KubernetesResource {
  /** Empty: the core group. */
  readonly group: string;
  readonly version: string;
  /** As in paths and RBAC rules: `scaledobjects`. */
  readonly plural: string;
}

/** What is read and written of a cluster: nothing else is. */
export const RESOURCES = {
  scaledObjects: { group: "keda.sh", version: "v1alpha1", plural: "scaledobjects" },
  autoscalers: { group: "autoscaling", version: "v2", plural: "horizontalpodautoscalers" },
  deployments: { group: "apps", version: "v1", plural: "deployments" },
  statefulSets: { group: "apps", version: "v1", plural: "statefulsets" },
  events: { group: "events.k8s.io", version: "v1", plural: "events" },
  pods: { group: "", version: "v1", plural: "pods" },
  services: { group: "", version: "v1", plural: "services" },
  namespaces: { group: "", version: "v1", plural: "namespaces" },
  networkPolicies: { group: "networking.k8s.io", version: "v1", plural: "networkpolicies" },
  leases: { group: "coordination.k8s.io", version: "v1", plural: "leases" },
  configMaps: { group: "", version: "v1", plural: "configmaps" },
  inferencePipelines: { group: "variscale.dev", version: "v1alpha1", plural: "inferencepipelines" },
  tokenReviews: { group: "authentication.k8s.io", version: "v1", plural: "tokenreviews" },
  secrets: { group: "", version: "v1", plural: "secrets" },
  triggerAuthentications: { group: "keda.sh", version: "v1alpha1", plural: "triggerauthentications" },
  clusterTriggerAuthentications: { group: "keda.sh", version: "v1alpha1", plural: "clustertriggerauthentications" },
  customResourceDefinitions: { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" },
  apiServices: { group: "apiregistration.k8s.io", version: "v1", plural: "apiservices" },
} as const satisfies Readonly<Record<string, KubernetesResource>>;

/** @param namespace null: of the whole cluster. @param name null: the collection. */
export function resourcePath(resource: KubernetesResource, namespace: string | null, name: string | null): string {
  const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = namespace === null ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${resource.plural}${name === null ? "" : `/${encodeURIComponent(name)}`}`;
}

/** For messages: `scaledobjects.keda.sh default/detect`. */
export function describeResource(resource: KubernetesResource, namespace: string | null, name: string | null): string {
  const kind = resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
  if (name !== null) return `${kind} ${namespace === null ? name : `${namespace}/${name}`}`;
  return namespace === null ? kind : `${kind} in namespace ${namespace}`;
}
