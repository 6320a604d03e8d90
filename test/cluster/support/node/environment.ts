import type { Json, KubernetesApi } from "../kubernetes-api.ts";

/** What the Dockerfile and every pod's network give a container, beside its own variables. */
const OF_EVERY_CONTAINER = {
  NODE_ENV: "production",
  XDG_STATE_HOME: "/var/lib",
  XDG_CACHE_HOME: "/var/cache",
  PATH: "/image:/usr/local/bin:/usr/bin:/bin",
  KUBERNETES_SERVICE_PORT: "443",
};

/** The variables of a container, with the downward API and keys of Secrets and ConfigMaps. */
export async function environmentOf(
  api: KubernetesApi,
  pod: Json,
  container: Json,
  apiAddress: string,
): Promise<Readonly<Record<string, string>>> {
  const env: Record<string, string> = {
    ...OF_EVERY_CONTAINER,
    HOSTNAME: pod.metadata.name,
    KUBERNETES_SERVICE_HOST: apiAddress,
  };
  for (const { name, value, valueFrom } of container.env ?? [])
    env[name] = valueFrom ? await valueFromOf(api, pod, valueFrom) : expand(value ?? "", env);
  return env;
}

/** `$(NAME)` in a command or an argument; a name that is not there stays as it is. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\((\w+)\)/g, (whole, name: string) => env[name] ?? whole);
}

/** A field of the pod, as the downward API names it. */
export function fieldOf(pod: Json, path: string): string {
  const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
  const value = map && key ? pod.metadata[map]?.[key] : path.split(".").reduce((at, name) => at?.[name], pod);
  if (typeof value !== "string") throw new Error(`pod ${pod.metadata.name} has no field ${path}`);
  return value;
}

async function valueFromOf(
  api: KubernetesApi,
  pod: Json,
  { fieldRef, secretKeyRef, configMapKeyRef }: Json,
): Promise<string> {
  if (fieldRef) return fieldOf(pod, fieldRef.fieldPath);
  const [plural, { name, key }] = secretKeyRef ? ["secrets", secretKeyRef] : ["configmaps", configMapKeyRef];
  const path = `/api/v1/namespaces/${pod.metadata.namespace}/${plural}/${name}`;
  const value = (await api.call("GET", path)).body.data?.[key];
  if (typeof value !== "string") throw new Error(`${path} has no key ${key}`);
  return secretKeyRef ? Buffer.from(value, "base64").toString() : value;
}
