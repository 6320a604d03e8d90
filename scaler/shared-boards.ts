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
  type SharedBoard,
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
  /** Pipelines that there are here, `namespace/name`. */
  readonly served: () => ReadonlySet<string>;
  /** This process has made the write, as the leader that it is: it knows what is in it. */
  readonly isOwn: (write: BoardWrite) => boolean;
  /** The epoch of the Lease, as it was read last; 0: it was not. */
  readonly leaseEpoch: () => number;
  /** A board of another process that is newer than the one before. */
  readonly onBoard: (board: AnsweredBoard) => void;
  /** One is there no more, of a pipeline that is not served. */
  readonly onGone: (key: PipelineKey) => void;
}

interface Opened {
  readonly write: BoardWrite;
  /** Null: it can't be used. What was answered of the one before stays until it is stale. */
  readonly object: BoardObject | null;
  /** What KEDA is answered of it: the rest stays packed. Null: nothing, or it is of this process and was not asked for yet. */
  answered: AnsweredBoard | null;
  /** The newest whose state can be read. */
  readonly restorable: BoardObject | null;
}

/** The boards that the leader shares, as this process has seen them. */
export class SharedBoards {
  readonly #options: SharedBoardsOptions;
  readonly #watch: KubernetesWatch<BoardObject>;
  /** By `namespace/name`. */
  readonly #opened = new Map<string, Opened>();
  readonly #problems = new Map<string, string>();
  #onSynced: () => void = () => undefined;
  #newest = NO_WRITE;

  constructor(options: SharedBoardsOptions) {
    this.#options = options;
    const { client, namespace, clock, random } = options;
    this.#watch = startKubernetesWatch({
      client,
      resource: RESOURCES.configMaps,
      namespace,
      selector: { label: this.#selector },
      project: object => this.#parse(object),
      onChange: () => {
        this.#takeAll(this.#watch.objects.values());
        this.#forgetGone();
      },
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

  /** All that there are, as they were found last. */
  get objects(): readonly BoardObject[] {
    return [...this.#watch.objects.values()];
  }

  /** What of the pipeline's can't be used and why; null: all can, or there is none. */
  problemOf(key: PipelineKey): string | null {
    return this.#problems.get(formatKey(key)) ?? null;
  }

  /** Of the newest write; null: it can't be used, or there is none. */
  answered(key: PipelineKey): AnsweredBoard | null {
    const opened = this.#opened.get(formatKey(key));
    if (!opened?.object) return null;
    opened.answered ??= unpacked(opened.object)?.answered ?? null;
    return opened.answered;
  }

  /** What a successor goes on from; null: nothing that can be used. */
  stored(key: PipelineKey): StoredPipeline | null {
    const restorable = this.#opened.get(formatKey(key))?.restorable;
    return (restorable && unpacked(restorable)?.stored) ?? null;
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
        const object = this.#parse(item);
        objects.set(object.pipeline, object);
      } catch {
        // Somebody else's with our label.
      }
    };
    await client.list(RESOURCES.configMaps, namespace, take, { label: this.#selector });
    this.#takeAll(objects.values());
    return objects;
  }

  close(): void {
    this.#watch.close();
  }

  get #selector(): string {
    return `${LEASE_LABEL}=${this.#options.lease}`;
  }

  #parse(object: unknown): BoardObject {
    const { leaseEpoch, clock } = this.#options;
    return parseBoardObject(object, leaseEpoch(), clock.nowMs());
  }

  #takeAll(objects: Iterable<BoardObject>): void {
    for (const object of objects) this.#take(object);
    if (this.#watch.synced) this.#onSynced();
  }

  /** What is served is known on when somebody has deleted its ConfigMap: the leader writes it anew. */
  #forgetGone(): void {
    const there = new Set(this.objects.map(({ pipeline }) => pipeline));
    const gone = [...this.#opened].filter(([pipeline]) => !there.has(pipeline));
    if (gone.length === 0) return;
    const served = this.#options.served();
    for (const [pipeline, { answered }] of gone) {
      if (served.has(pipeline)) continue;
      this.#opened.delete(pipeline);
      this.#problems.delete(pipeline);
      if (answered) this.#options.onGone(answered.key);
    }
  }

  #take(object: BoardObject): void {
    const known = this.#opened.get(object.pipeline);
    if (known && compareWrites(object.write, known.write) <= 0) return;
    if (compareWrites(object.write, this.#newest) > 0) this.#newest = object.write;
    const { write, pipeline } = object;
    // What was packed here is unpacked when another leads.
    if (this.#options.isOwn(write)) {
      this.#say(object, null);
      this.#opened.set(pipeline, { write, object, answered: null, restorable: object });
      return;
    }
    const opened = openBoardObject(object);
    if (typeof opened === "string") {
      this.#say(object, `${opened}; the last good one is answered until it is stale`);
      this.#opened.set(pipeline, { write, object: null, answered: null, restorable: known?.restorable ?? null });
      return;
    }
    this.#say(object, opened.problem);
    const restorable = opened.stored ? object : (known?.restorable ?? null);
    this.#opened.set(pipeline, { write, object, answered: opened.answered, restorable });
    this.#options.onBoard(opened.answered);
  }

  /** @param problem null: nothing is wrong with it. */
  #say({ name, pipeline }: BoardObject, problem: string | null): void {
    const said = problem === null ? null : `ConfigMap ${this.#options.namespace}/${name}: ${problem}`;
    const before = this.#problems.get(pipeline) ?? null;
    if (said === before) return;
    if (said === null) this.#problems.delete(pipeline);
    else {
      this.#problems.set(pipeline, said);
      this.#options.logger.warn({ configMap: name, pipeline }, `a board can't be used as a whole: ${problem}`);
    }
  }
}

/** Null: it can't be used. */
function unpacked(object: BoardObject): SharedBoard | null {
  const opened = openBoardObject(object);
  return typeof opened === "string" ? null : opened;
}
