import { VariscaleError } from "../../domain/errors.ts";
import type { KubernetesClient } from "../../runtime/kubernetes.ts";
import { RESOURCES } from "../../runtime/kubernetes-resource.ts";
import {
  type ConfigMapFiles,
  configMapFiles,
  isConfigMapName,
  type NamingObject,
} from "../../scaler/described-pipeline.ts";
import { checkNamed } from "./check-annotation.ts";
import { notChecked } from "./check-cluster.ts";
import type { Finding } from "./finding.ts";

/** Reads each ConfigMap that ScaledObjects name once, and says whether it is a pipeline. */
export async function examineAnnotations(
  client: KubernetesClient,
  naming: readonly NamingObject[],
): Promise<readonly Finding[]> {
  const byConfigMap = new Map<string, NamingObject[]>();
  for (const one of naming) {
    const key = `${one.namespace}/${one.configMap}`;
    byConfigMap.set(key, [...(byConfigMap.get(key) ?? []), one]);
  }
  const findings: Finding[] = [];
  for (const all of byConfigMap.values()) findings.push(...(await examineNamed(client, all)));
  return findings;
}

async function examineNamed(client: KubernetesClient, naming: readonly NamingObject[]): Promise<readonly Finding[]> {
  const [{ namespace, configMap } = { namespace: "", configMap: "" }] = naming;
  // What can be no name is no path either.
  if (!isConfigMapName(configMap)) return checkNamed(naming, undefined);
  let files: ConfigMapFiles | undefined;
  try {
    files = configMapFiles(await client.get(RESOURCES.configMaps, namespace, configMap));
  } catch (error) {
    if (VariscaleError.from(error).code !== "not_found")
      return [notChecked("pipeline-annotation", `configmap ${namespace}/${configMap}`, error, "")];
  }
  return checkNamed(naming, files);
}
