/** What the scaler reads and writes in the namespaces of its pipelines. */
export const ACCESS_RULES = [
  { apiGroups: ["keda.sh"], resources: ["scaledobjects"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["apps"], resources: ["deployments", "statefulsets"], verbs: ["get", "list", "watch"] },
  // Of a stage whose replicas do not come.
  { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
  { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
] as const;

/** What it reads and writes beside, where the cluster's objects describe pipelines (`--pipelines-from`). */
export const PIPELINE_ACCESS_RULES = [
  { apiGroups: ["variscale.dev"], resources: ["inferencepipelines"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["variscale.dev"], resources: ["inferencepipelines/status"], verbs: ["patch"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch"] },
] as const;

/** What several scalers that share pipelines read and write where their Lease is. */
const SHARED_RULES = [
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "patch"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch", "create", "patch", "delete"] },
] as const;

/** What it asks of the whole cluster, where it knows switchers by their tokens (`--switcher-identity tokenreview`). */
export const IDENTITY_RULES = [
  { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
] as const;

interface ObjectName {
  readonly name: string;
  readonly namespace: string;
}

/** The rights by which one of several scalers leads, in the namespace that they run in. */
export function sharedAccessOf(account: ObjectName): object[] {
  return grantOf({ name: `${account.name}-lease`, namespace: account.namespace }, SHARED_RULES, account);
}

/** The right to have tokens reviewed: objects of the cluster, which belong to no namespace. */
export function identityAccessOf(account: ObjectName): object[] {
  const metadata = { name: `${account.name}.${account.namespace}.identity.variscale.dev` };
  return grantOf(metadata, IDENTITY_RULES, account, "Cluster");
}

/** The scaler's service account, and its rights in the pipeline's namespace. */
export function accessOf(namespace: string, account: ObjectName, rules: readonly object[]): object[] {
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: account },
    ...grantOf({ name: account.name, namespace }, rules, account),
  ];
}

function grantOf(
  metadata: Omit<ObjectName, "namespace"> & Partial<ObjectName>,
  rules: readonly object[],
  account: ObjectName,
  scope: "Cluster" | "" = "",
): object[] {
  return [
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: `${scope}Role`, metadata, rules },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: `${scope}RoleBinding`,
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: `${scope}Role`, name: metadata.name },
      subjects: [{ kind: "ServiceAccount", ...account }],
    },
  ];
}
