import type { PipelineBoard } from "../control/board.ts";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import type { Clock } from "./clock.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import { type BoardObject, boardObject, boardObjectName, parseBoardObject } from "./shared-board.ts";

/** What only a successor needs is written this often where KEDA's answers stay the same. */
const SAVE_EVERY_MS = 30_000;
/** Writes that are under way at once. */
const MOST_WRITING = 8;

export interface BoardPublisherOptions {
  readonly client: Pick<KubernetesClient, "get" | "create" | "patch">;
  readonly namespace: string;
  readonly lease: string;
  readonly clock: Clock;
  /** Asked before every write. */
  readonly isLeading: () => boolean;
  /** The board is with the API server: KEDA may be told. */
  readonly onPublished: (board: PipelineBoard) => void;
  /** After every write; null: it went well. */
  readonly onWrite: (key: PipelineKey, problem: string | null) => void;
  /** A later leader has written. */
  readonly onDeposed: () => void;
}

interface Entry {
  readonly control: PipelineControl;
  board: PipelineBoard;
  /** What KEDA is told, of the last write; null: nothing was written by this leader. */
  written: string | null;
  writtenAtMs: number;
  /** Null: there is no object. */
  resourceVersion: string | null;
  /** The write under way; gives what was wrong. */
  writing: Promise<string | null> | null;
}

/**
 * The leader's side of shared boards. A board whose answers to KEDA differ from those of the last write is published when the API server
 * has it, so that whoever leads next never answers what was answered before; of one whose answers are the same nothing is waited for.
 */
export class BoardPublisher {
  readonly #options: BoardPublisherOptions;
  readonly #entries = new Map<string, Entry>();
  #versions: ReadonlyMap<string, string> = new Map();
  #epoch = 0;
  #begun = 0;
  #taken = 0;
  #writing = 0;
  #waiting: (() => void)[] = [];

  constructor(options: BoardPublisherOptions) {
    this.#options = options;
  }

  /** Number of the latest write of this epoch that was taken. */
  get newestWrite(): number {
    return this.#taken;
  }

  /** Begins an epoch; `objects`: what there is, by its pipeline. */
  begin(epoch: number, objects: ReadonlyMap<string, BoardObject>): void {
    this.#epoch = epoch;
    this.#begun = 0;
    this.#taken = 0;
    this.#entries.clear();
    this.#versions = new Map([...objects].map(([pipeline, { resourceVersion }]) => [pipeline, resourceVersion]));
  }

  /** The newest tick of a pipeline. */
  offer(control: PipelineControl, board: PipelineBoard): void {
    const entry = this.#entryOf(control, board);
    entry.board = board;
    const isSame = entry.written === answersOf(board);
    if (isSame) this.#options.onPublished(board);
    // A clock that was set back must not put it off.
    const sinceMs = Math.abs(this.#options.clock.nowMs() - entry.writtenAtMs);
    if (!isSame || sinceMs >= SAVE_EVERY_MS) void this.#write(entry);
  }

  /** Writes what an operator has changed. Throws unavailable where that failed. */
  async save(control: PipelineControl): Promise<void> {
    const entry = this.#entries.get(formatKey(control.pipeline.key));
    // Before its first tick there is nothing that a successor could go on from.
    if (!entry) return;
    // One that is under way may have been read before the change.
    await entry.writing;
    // Once more: the first one may only have learnt which version there is.
    const problem = (await this.#write(entry)) === null ? null : await this.#write(entry);
    if (problem !== null)
      throw new VariscaleError(
        "unavailable",
        `the change is made, but a successor would not know of it yet: ${problem}`,
      );
  }

  forget(key: PipelineKey): void {
    this.#entries.delete(formatKey(key));
  }

  /** Writes everything once more. */
  async close(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(entry => this.#write(entry)));
  }

  #entryOf(control: PipelineControl, board: PipelineBoard): Entry {
    const key = formatKey(control.pipeline.key);
    const known = this.#entries.get(key);
    if (known) return known;
    // Where there is one all the same, creating it tells its version.
    const resourceVersion = this.#versions.get(key) ?? null;
    const entry: Entry = { control, board, written: null, writtenAtMs: 0, resourceVersion, writing: null };
    this.#entries.set(key, entry);
    return entry;
  }

  /** One write at a time; gives what was wrong. */
  #write(entry: Entry): Promise<string | null> {
    entry.writing ??= this.#tryToWrite(entry).finally(() => {
      entry.writing = null;
    });
    return entry.writing;
  }

  async #tryToWrite(entry: Entry): Promise<string | null> {
    const { isLeading, onWrite } = this.#options;
    const epoch = this.#epoch;
    let problem: string | null = null;
    await this.#turn();
    try {
      if (!isLeading() || epoch !== this.#epoch) return "this scaler does not lead any more: the board was not shared";
      await this.#send(entry, epoch);
    } catch (thrown) {
      problem = `${VariscaleError.from(thrown).message} KEDA is answered what was shared last.`;
    } finally {
      this.#endTurn();
    }
    if (!this.#isForgotten(entry)) onWrite(entry.control.pipeline.key, problem);
    return problem;
  }

  /** Its pipeline was taken away while it was written. */
  #isForgotten(entry: Entry): boolean {
    return this.#entries.get(formatKey(entry.control.pipeline.key)) !== entry;
  }

  async #send(entry: Entry, epoch: number): Promise<void> {
    const { client, namespace, lease, clock } = this.#options;
    const { board, control } = entry;
    const { key } = control.pipeline;
    const name = boardObjectName(lease, key);
    const nowMs = clock.nowMs();
    const number = this.#begun + 1;
    const body = boardObject(lease, board, control.snapshot(nowMs), { epoch, number }, nowMs);
    this.#begun = number;
    let answer: unknown;
    try {
      answer =
        entry.resourceVersion === null
          ? await client.create(RESOURCES.configMaps, namespace, {
              apiVersion: "v1",
              kind: "ConfigMap",
              ...body,
              metadata: { ...body.metadata, name, namespace },
            })
          : await client.patch(RESOURCES.configMaps, namespace, name, {
              ...body,
              metadata: { ...body.metadata, resourceVersion: entry.resourceVersion },
            });
    } catch (thrown) {
      const { code } = VariscaleError.from(thrown);
      if (code === "not_found") entry.resourceVersion = null;
      else if (code === "aborted") await this.#findVersion(entry, name, epoch);
      throw thrown;
    }
    entry.resourceVersion = parseBoardObject(answer, epoch, clock.nowMs()).resourceVersion;
    if (epoch !== this.#epoch || this.#isForgotten(entry)) return;
    this.#taken = Math.max(this.#taken, number);
    entry.written = answersOf(board);
    entry.writtenAtMs = nowMs;
    this.#options.onPublished(board);
  }

  /** Another wrote it: a later leader, or somebody who edited it, which the next write sets right. */
  async #findVersion(entry: Entry, name: string, epoch: number): Promise<void> {
    const { client, namespace, onDeposed, clock } = this.#options;
    const found = await client.get(RESOURCES.configMaps, namespace, name);
    const { resourceVersion } = (found as { readonly metadata: { readonly resourceVersion: string } }).metadata;
    entry.resourceVersion = resourceVersion;
    try {
      if (parseBoardObject(found, epoch, clock.nowMs()).write.epoch > epoch) onDeposed();
    } catch {
      // No board any more: it is written anew.
    }
  }

  async #turn(): Promise<void> {
    if (this.#writing >= MOST_WRITING) await new Promise<void>(resolve => this.#waiting.push(resolve));
    this.#writing += 1;
  }

  #endTurn(): void {
    this.#writing -= 1;
    this.#waiting.shift()?.();
  }
}

/** What must be the same with everyone who answers, and what a successor would do otherwise without. */
function answersOf(board: PipelineBoard): string {
  return JSON.stringify([
    board.mode,
    board.plan?.stages.map(({ stage, parts }) => [stage, parts]),
    board.stages.map(({ stage, metricValue, active, replicasReady }) => [
      stage,
      metricValue,
      active,
      replicasReady === 0,
    ]),
  ]);
}
