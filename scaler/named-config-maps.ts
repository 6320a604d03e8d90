import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import { type KubernetesWatch, startKubernetesWatch } from "../runtime/kubernetes-watch.ts";
import { type ConfigMapFiles, configMapFiles, isConfigMapName } from "./described-pipeline.ts";

/** Each is a connection to the API server, and whoever may annotate a ScaledObject can ask for one. */
export const MOST_NAMED = 200;

export interface NamedConfigMapsOptions {
  readonly client: KubernetesClient;
  readonly namespace: string;
  readonly onChange: () => void;
  readonly nowMs: () => number;
  /** 0 to 1. */
  readonly random: () => number;
}

/** Watches single ConfigMaps of a namespace, each by its name, `MOST_NAMED` at most: others of the namespace are not read. */
export class NamedConfigMaps {
  readonly #options: NamedConfigMapsOptions;
  readonly #watches = new Map<string, KubernetesWatch<ConfigMapFiles>>();

  constructor(options: NamedConfigMapsOptions) {
    this.#options = options;
  }

  /** Watches these from now on, and no others; what can be the name of none is passed over. */
  look(names: ReadonlySet<string>): void {
    for (const [name, watch] of this.#watches) {
      if (names.has(name)) continue;
      watch.close();
      this.#watches.delete(name);
    }
    const common = { ...this.#options, resource: RESOURCES.configMaps, project: configMapFiles };
    for (const name of names) {
      if (this.#watches.has(name) || !isConfigMapName(name) || this.#watches.size >= MOST_NAMED) continue;
      this.#watches.set(name, startKubernetesWatch({ ...common, selector: { field: `metadata.name=${name}` } }));
    }
  }

  /** False: it can be the name of none, or there are too many. */
  isWatched(name: string): boolean {
    return this.#watches.has(name);
  }

  /** Whether it is known what it is, or that there is none. */
  isKnown(name: string): boolean {
    return this.#watches.get(name)?.synced ?? true;
  }

  get(name: string): ConfigMapFiles | undefined {
    return this.#watches.get(name)?.objects.get(`${this.#options.namespace}/${name}`);
  }

  get areKnown(): boolean {
    return [...this.#watches.values()].every(({ synced }) => synced);
  }

  get problem(): string | null {
    return [...this.#watches.values()].find(({ problem }) => problem !== null)?.problem ?? null;
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.close();
  }
}
