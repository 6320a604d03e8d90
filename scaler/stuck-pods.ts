import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import { isSelected, type LabelSelector } from "../runtime/label-selector.ts";
import type { LivePipeline } from "./live-pipeline.ts";
import { type Pod, podSchema, readPods } from "./pod-troubles.ts";

/** What keeps pods from starting does not change from second to second. */
const LOOK_EVERY_MS = 30_000;
/** Of several causes together. */
const MOST_TEXT = 600;

export interface StuckPodsOptions {
  readonly client: KubernetesClient;
  readonly nowMs: () => number;
}

/**
 * Why pods of stages whose replicas do not come are not ready. They are looked at only while a pipeline has such a stage, and now and then:
 * nothing of pods is watched. Where they may not be listed nothing is known.
 */
export class StuckPods {
  readonly #options: StuckPodsOptions;
  /** By pipeline. */
  readonly #found = new Map<string, Readonly<Record<string, string>>>();
  readonly #lookedAtMs = new Map<string, number>();

  constructor(options: StuckPodsOptions) {
    this.#options = options;
  }

  /** By stage; of stages of which nothing is known there is none. */
  of(key: PipelineKey): Readonly<Record<string, string>> {
    return this.#found.get(formatKey(key)) ?? {};
  }

  /** Never waits: what is found shows later. */
  look(key: PipelineKey, live: LivePipeline): void {
    const pipeline = formatKey(key);
    const nowMs = this.#options.nowMs();
    if (Math.abs(nowMs - (this.#lookedAtMs.get(pipeline) ?? Number.NEGATIVE_INFINITY)) < LOOK_EVERY_MS) return;
    this.#lookedAtMs.set(pipeline, nowMs);
    void this.#lookAt(key, live).then(found => {
      // Not of a pipeline that is stuck no more. What was found before stays: KEDA is told a lower count by now, and the pods go.
      if (this.#lookedAtMs.has(pipeline)) this.#found.set(pipeline, { ...this.#found.get(pipeline), ...found });
    });
  }

  /** Of a pipeline whose replicas are there, or that is gone itself. */
  forget(pipeline: string): void {
    this.#lookedAtMs.delete(pipeline);
    this.#found.delete(pipeline);
  }

  /** Those of which something is known. */
  get known(): readonly string[] {
    return [...this.#lookedAtMs.keys()];
  }

  async #lookAt({ namespace }: PipelineKey, live: LivePipeline): Promise<Readonly<Record<string, string>>> {
    const found: Record<string, string> = {};
    for (const [stage, { target }] of Object.entries(live)) {
      if (!target?.selector) continue;
      const why = [
        ...(target.trouble === null ? [] : [target.trouble]),
        ...(await this.#troublesOf(namespace, target.selector)),
      ];
      if (why.length > 0) found[stage] = why.join("; ").slice(0, MOST_TEXT);
    }
    return found;
  }

  async #troublesOf(namespace: string, selector: LabelSelector): Promise<readonly string[]> {
    const pods: Pod[] = [];
    const label = Object.entries(selector.matchLabels ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join(",");
    const take = (item: unknown): void => {
      const { success, data } = podSchema.safeParse(item);
      if (success && isSelected(data.metadata.labels ?? {}, selector)) pods.push(data);
    };
    try {
      await this.#options.client.list(RESOURCES.pods, namespace, take, label === "" ? {} : { label });
    } catch {
      return [];
    }
    return readPods(pods, this.#options.nowMs()).troubles.map(({ what }) => what);
  }
}
