import { VariscaleError } from "../../domain/errors.ts";
import type { KubernetesConfig } from "../../runtime/kubernetes-config.ts";
import type { WatchedPipelinesOptions } from "../../scaler/cluster-pipelines.ts";

const SOURCES = ["crd", "configmaps", "scaledobjects"] as const;

export interface WatchedPipelinesFlags {
  readonly pipelinesFrom: readonly string[];
  readonly namespace: readonly string[];
  readonly set: readonly string[];
}

/**
 * What of a cluster describes pipelines; null: nothing.
 *
 * @param config of the API server; null: it is not looked at.
 * Throws invalid_argument for flags that contradict each other.
 */
export function watchedPipelines(
  { pipelinesFrom, namespace, set }: WatchedPipelinesFlags,
  files: number,
  config: KubernetesConfig | null,
): WatchedPipelinesOptions | null {
  const unknown = pipelinesFrom.find(from => !SOURCES.some(source => source === from));
  if (unknown !== undefined)
    throw new VariscaleError("invalid_argument", `--pipelines-from ${unknown}: must be one of ${SOURCES.join(", ")}`);
  if (pipelinesFrom.length === 0) {
    if (files === 0)
      throw new VariscaleError(
        "invalid_argument",
        "there are no pipelines: name their files or folders, or write --pipelines-from crd",
      );
    if (namespace.length > 0)
      throw new VariscaleError("invalid_argument", "--namespace goes with --pipelines-from: files name their own");
    return null;
  }
  if (config === null)
    throw new VariscaleError(
      "invalid_argument",
      `--pipelines-from ${pipelinesFrom.join(", ")} needs an API server: leave --kubernetes off away`,
    );
  return {
    config,
    namespaces: namespace.length > 0 ? [...new Set(namespace)] : [config.namespace],
    objects: pipelinesFrom.includes("crd"),
    configMaps: pipelinesFrom.includes("configmaps"),
    scaledObjects: pipelinesFrom.includes("scaledobjects"),
    set,
  };
}
