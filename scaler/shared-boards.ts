import type { Logger } from "pino";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import { type KubernetesWatch, startKubernetesWatch } from "../runtime/kubernetes-watch.ts";
import type { Clock } from "./clock.ts";
import type { AnsweredBoard } from "./keda-answer.ts";
import {
  type BoardObject,
  type BoardWrite,
  compareWrites,
  LEASE_LABEL,
  NO_WRITE,
  openBoardObject,
  parseBoardObject,
} from "./shared-board.ts";
import type { StoredPipeline } from "./stored-pipeline.ts";

export interface SharedBoardsOptions {
  readonly client: KubernetesClient;
  readonly namespace: string;
  readonly lease: string;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly logger: Logger;
  /** A board that is newer than the one before. */
  readonly onBoard: (board: AnsweredBoard) => void;
}

interface Opened {
  readonly write: BoardWrite;
  /** The last one that can be used, and what KEDA is answered of it: the rest stays packed. Null: there was none. */
  readonly good: { readonly object: BoardObject; readonly answered: AnsweredBoard } | null;
}

/** The boards that the leader shares, as this process has seen them. */
export class SharedBoards {
  readonly #options: SharedBoardsOptions;
  readonly #watch: KubernetesWatch<BoardObject>;
  /** By `namespace/name`. */
  readonly #opened = new Map<string, Opened>();
  #problems: ReadonlyMap<string, string> = new Map();
  #onSynced: () => void = () => undefined;
  #newest = NO_WRITE;

  constructor(options: SharedBoardsOptions) {
    this.#options = options;
    const { client, namespace, clock, random } = options;
    this.#watch = startKubernetesWatch({
      client,
      resource: RESOURCES.configMaps,
      namespace,
      labelSelector: this.#selector,
      project: parseBoardObject,
      onChange: () => this.#takeAll(this.#watch.objects.values()),
      nowMs: () => clock.nowMs(),
      random,
    });
  }

  /** The latest write that was seen. */
  get newest(): BoardWrite {
    return this.#newest;
  }

  get isSynced(): boolean {
    return this.#watch.synced;
  }

  /** Why it is not up to date; null: nothing is known against it. */
  get problem(): string | null {
    return this.#watch.problem;
  }

  /** Why the pipeline's can't be used; null: it can, or there is none. */
  problemOf(key: PipelineKey): string | null {
    return this.#problems.get(formatKey(key)) ?? null;
  }

  answered(key: PipelineKey): AnsweredBoard | null {
    return this.#opened.get(formatKey(key))?.good?.answered ?? null;
  }

  /** What a successor goes on from; null: nothing that can be used. */
  stored(key: PipelineKey): StoredPipeline | null {
    const good = this.#opened.get(formatKey(key))?.good;
    const opened = good ? openBoardObject(good.object) : null;
    return opened === null || typeof opened === "string" ? null : opened.stored;
  }

  /** Resolves when all of them were listed, or after this long. */
  async untilSynced(withinMs: number): Promise<void> {
    if (this.isSynced) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>(resolve => {
      this.#onSynced = resolve;
      timer = setTimeout(resolve, withinMs);
    });
    clearTimeout(timer);
  }

  /** Reads all of them from the API server: nothing that was written before is missing. Gives them by pipeline. */
  async readAll(): Promise<ReadonlyMap<string, BoardObject>> {
    const { client, namespace } = this.#options;
    const objects = new Map<string, BoardObject>();
    const take = (item: unknown): void => {
      try {
        const object = parseBoardObject(item);
        objects.set(object.pipeline, object);
      } catch {
        // Somebody else's with our label.
      }
    };
    await client.list(RESOURCES.configMaps, namespace, take, this.#selector);
    this.#takeAll(objects.values());
    return objects;
  }

  close(): void {
    this.#watch.close();
  }

  get #selector(): string {
    return `${LEASE_LABEL}=${this.#options.lease}`;
  }

  #takeAll(objects: Iterable<BoardObject>): void {
    for (const object of objects) this.#take(object);
    if (this.#watch.synced) this.#onSynced();
  }

  #take(object: BoardObject): void {
    const known = this.#opened.get(object.pipeline);
    if (known && compareWrites(object.write, known.write) <= 0) return;
    const opened = openBoardObject(object);
    const isUsable = typeof opened !== "string";
    const problems = new Map(this.#problems);
    problems.delete(object.pipeline);
    if (!isUsable) {
      problems.set(object.pipeline, `ConfigMap ${this.#options.namespace}/${object.name}: ${opened}`);
      this.#options.logger.warn(
        { configMap: object.name, pipeline: object.pipeline },
        `a board can't be used: ${opened}`,
      );
    }
    this.#problems = problems;
    // The last good one stays.
    const good = isUsable ? { object, answered: opened.answered } : (known?.good ?? null);
    this.#opened.set(object.pipeline, { write: object.write, good });
    if (compareWrites(object.write, this.#newest) > 0) this.#newest = object.write;
    if (isUsable) this.#options.onBoard(opened.answered);
  }
}
