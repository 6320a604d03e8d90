/** What the scaler reads and writes in the namespaces of its pipelines. */
export const ACCESS_RULES = [
  { apiGroups: ["keda.sh"], resources: ["scaledobjects"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["apps"], resources: ["deployments", "statefulsets"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
] as const;

/** What it reads and writes beside, where the cluster's objects describe pipelines (`--pipelines-from`). */
export const PIPELINE_ACCESS_RULES = [
  { apiGroups: ["variscale.dev"], resources: ["inferencepipelines"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["variscale.dev"], resources: ["inferencepipelines/status"], verbs: ["patch"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch"] },
] as const;

/** The scaler's service account, and its rights in the pipeline's namespace. */
export function accessOf(
  namespace: string,
  account: { readonly name: string; readonly namespace: string },
  rules: readonly object[],
): object[] {
  const metadata = { name: account.name, namespace };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: account },
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata, rules },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: account.name },
      subjects: [{ kind: "ServiceAccount", ...account }],
    },
  ];
}
