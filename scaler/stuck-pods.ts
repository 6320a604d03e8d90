import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import { labelQuery } from "../runtime/label-selector.ts";
import type { LivePipeline } from "./live-pipeline.ts";
import { type Pod, type PodsReading, type PodTrouble, podSchema, readPods } from "./pod-troubles.ts";

/** What keeps pods from starting does not change from second to second. */
const LOOK_EVERY_MS = 30_000;
/** Of several causes together. */
const MOST_TEXT = 600;
/** Lists at once, of all pipelines. */
const MOST_LISTS = 2;
/** After a list that was refused none is asked for in its namespace for this long. */
const REFUSED_PAUSE_MS = 60_000;

export interface StuckPodsOptions {
  readonly client: KubernetesClient;
  readonly nowMs: () => number;
  /** Told after every list of a namespace: null, or why it failed. */
  readonly onList: (namespace: string, problem: string | null) => void;
}

/** Of one stage. */
interface Look {
  readonly pipeline: string;
  readonly namespace: string;
  readonly stage: string;
  atMs: number;
  /** Its list waits or runs. */
  isListing: boolean;
  /** Of the target itself; null: nothing. */
  target: string | null;
  pods: readonly PodTrouble[];
}

/**
 * Why pods of stages whose replicas do not come are not ready. They are looked at only while a stage is stuck, and now and then: nothing of
 * pods is watched. Where they may not be listed only the target's own word is known.
 */
export class StuckPods {
  readonly #options: StuckPodsOptions;
  /** By pipeline and stage. */
  readonly #looks = new Map<string, Map<string, Look>>();
  readonly #waiting: (readonly [Look, string])[] = [];
  #lists = 0;
  /** By namespace: rights are given in each by itself. */
  readonly #pausedUntilMs = new Map<string, number>();

  constructor(options: StuckPodsOptions) {
    this.#options = options;
  }

  /** In words, by stage; of stages of which nothing is known there are none. */
  of(key: PipelineKey): Readonly<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const [stage, { target, pods }] of this.#looks.get(formatKey(key)) ?? []) {
      const why = [...(target === null ? [] : [target]), ...pods.map(({ what }) => what)];
      if (why.length > 0) found[stage] = why.join("; ").slice(0, MOST_TEXT);
    }
    return found;
  }

  /** Of the pods alone: what the target says is told as its own. */
  troubles(key: PipelineKey): ReadonlyMap<string, readonly PodTrouble[]> {
    const looks = [...(this.#looks.get(formatKey(key)) ?? [])];
    return new Map(looks.flatMap(([stage, { pods }]) => (pods.length > 0 ? [[stage, pods] as const] : [])));
  }

  /** Never waits: what is found shows later. @param stuck stages; nothing stays known of others. */
  look(key: PipelineKey, live: LivePipeline, stuck: readonly string[]): void {
    const pipeline = formatKey(key);
    const { namespace } = key;
    const nowMs = this.#options.nowMs();
    const before = this.#looks.get(pipeline);
    if (stuck.length === 0) {
      this.#looks.delete(pipeline);
      return;
    }
    const looks = new Map<string, Look>();
    this.#looks.set(pipeline, looks);
    for (const stage of stuck) {
      const fresh = {
        pipeline,
        namespace,
        stage,
        atMs: Number.NEGATIVE_INFINITY,
        isListing: false,
        target: null,
        pods: [],
      };
      const look: Look = before?.get(stage) ?? fresh;
      looks.set(stage, look);
      const target = live[stage]?.target;
      if (!target) continue;
      look.target = target.trouble;
      if (look.isListing || Math.abs(nowMs - look.atMs) < LOOK_EVERY_MS) continue;
      const query = target.selector ? labelQuery(target.selector) : null;
      if (query === null || nowMs < (this.#pausedUntilMs.get(namespace) ?? 0)) continue;
      look.isListing = true;
      this.#waiting.push([look, query]);
    }
    this.#listNext();
  }

  /** Of a pipeline that is gone. */
  forget(pipeline: string): void {
    this.#looks.delete(pipeline);
  }

  /** Those of which something is known. */
  get known(): readonly string[] {
    return [...this.#looks.keys()];
  }

  close(): void {
    this.#looks.clear();
  }

  #listNext(): void {
    while (this.#lists < MOST_LISTS) {
      const next = this.#waiting.shift();
      if (!next) return;
      const [look, query] = next;
      look.isListing = false;
      if (!this.#isCurrent(look) || this.#options.nowMs() < (this.#pausedUntilMs.get(look.namespace) ?? 0)) continue;
      look.isListing = true;
      this.#lists += 1;
      void this.#list(look, query).then(() => {
        look.isListing = false;
        this.#lists -= 1;
        this.#listNext();
      });
    }
  }

  /** False: its replicas came meanwhile, or the pipeline is gone. */
  #isCurrent(look: Look): boolean {
    return this.#looks.get(look.pipeline)?.get(look.stage) === look;
  }

  async #list(look: Look, query: string): Promise<void> {
    const { onList, nowMs } = this.#options;
    const { namespace } = look;
    look.atMs = nowMs();
    try {
      const { living, ready, troubles } = await this.#read(namespace, query);
      // KEDA is told a lower count by now, and the pods that waited go: of those that are ready nothing else is learnt.
      if (living > ready) look.pods = troubles;
      onList(namespace, null);
    } catch (thrown) {
      this.#pausedUntilMs.set(namespace, nowMs() + REFUSED_PAUSE_MS);
      if (this.#isCurrent(look)) onList(namespace, VariscaleError.from(thrown).message);
    }
  }

  async #read(namespace: string, label: string): Promise<PodsReading> {
    const pods: Pod[] = [];
    const take = (item: unknown): void => {
      const { success, data } = podSchema.safeParse(item);
      if (success) pods.push(data);
    };
    await this.#options.client.list(RESOURCES.pods, namespace, take, { label });
    return readPods(pods, this.#options.nowMs());
  }
}
