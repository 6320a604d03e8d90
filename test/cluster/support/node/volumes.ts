import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Json, KubernetesApi } from "../kubernetes-api.ts";
import { fieldOf } from "./environment.ts";

/** Makes the folder of every volume of a pod, as a kubelet does, and gives them by name. */
export async function makeVolumes(api: KubernetesApi, pod: Json, folder: string): Promise<ReadonlyMap<string, string>> {
  const folders = new Map<string, string>();
  for (const volume of pod.spec.volumes ?? []) {
    const made = join(folder, volume.name);
    mkdirSync(made, { recursive: true });
    folders.set(volume.name, volume.hostPath?.path ?? made);
    await fill(api, pod, volume, made);
  }
  return folders;
}

async function fill(api: KubernetesApi, pod: Json, volume: Json, folder: string): Promise<void> {
  // Whatever user a container has, as by `fsGroup`.
  if (volume.emptyDir) chmodSync(folder, 0o777);
  else if (volume.configMap) write(folder, await configMap(api, pod, volume.configMap));
  else if (volume.secret) write(folder, await secret(api, pod, volume.secret));
  else if (volume.projected)
    for (const source of volume.projected.sources) write(folder, await projected(api, pod, source));
  else if (!volume.hostPath) throw new Error(`the test's node has no volumes as ${JSON.stringify(volume)}`);
}

type Files = ReadonlyMap<string, string | Buffer>;

async function projected(api: KubernetesApi, pod: Json, source: Json): Promise<Files> {
  if (source.configMap) return configMap(api, pod, source.configMap);
  if (source.secret) return secret(api, pod, source.secret);
  if (source.downwardAPI)
    return new Map(
      source.downwardAPI.items.map(({ path, fieldRef }: Json) => [path, fieldOf(pod, fieldRef.fieldPath)]),
    );
  if (source.serviceAccountToken)
    return new Map([[source.serviceAccountToken.path, await token(api, pod, source.serviceAccountToken)]]);
  throw new Error(`the test's node projects nothing as ${JSON.stringify(source)}`);
}

async function configMap(api: KubernetesApi, pod: Json, { name, optional, items }: Json): Promise<Files> {
  const found = await objectOf(api, pod, "configmaps", name, optional);
  return pick(new Map(Object.entries<string>(found?.data ?? {})), items);
}

async function secret(api: KubernetesApi, pod: Json, source: Json): Promise<Files> {
  const found = await objectOf(api, pod, "secrets", source.secretName ?? source.name, source.optional);
  const data = Object.entries<string>(found?.data ?? {});
  return pick(new Map(data.map(([key, value]) => [key, Buffer.from(value, "base64")])), source.items);
}

/** Bound to the pod, so that it ends with it. */
async function token(api: KubernetesApi, pod: Json, { audience, expirationSeconds }: Json): Promise<string> {
  const { namespace, name, uid } = pod.metadata;
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${pod.spec.serviceAccountName}/token`;
  const boundObjectRef = { kind: "Pod", apiVersion: "v1", name, uid };
  const spec = { boundObjectRef, expirationSeconds, ...(audience === undefined ? {} : { audiences: [audience] }) };
  const { status, body } = await api.call("POST", path, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec,
  });
  if (status !== 201) throw new Error(`no token for ${namespace}/${name}: ${JSON.stringify(body)}`);
  return body.status.token;
}

async function objectOf(api: KubernetesApi, pod: Json, plural: string, name: string, optional = false): Promise<Json> {
  const path = `/api/v1/namespaces/${pod.metadata.namespace}/${plural}/${name}`;
  const { status, body } = await api.call("GET", path);
  if (status === 200) return body;
  if (status === 404 && optional) return null;
  throw new Error(`${path}: ${status}`);
}

function pick(files: Files, items: readonly Json[] | undefined): Files {
  if (items === undefined) return files;
  return new Map(items.map(({ key, path }) => [path, files.get(key) ?? ""]));
}

function write(folder: string, files: Files): void {
  for (const [path, content] of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}
