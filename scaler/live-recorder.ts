import type { PipelineBoard } from "../control/board.ts";
import type { LastMinute } from "../domain/load-report.ts";
import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";
import { BatchFill } from "./batch-fill.ts";
import type { BoardStore } from "./board-store.ts";
import { LiveHistoryRing, pointsKept } from "./live-history.ts";
import type { SwitcherRegistry } from "./switcher-registry.ts";

/** Between looks at what batches hold: long enough for some to be served at a low load. */
const LOOK_EVERY_MS = 5000;

interface Recorded {
  readonly history: LiveHistoryRing;
  readonly fill: BatchFill;
  lookedAtMs: number;
}

/** Keeps the last minutes of every pipeline, from the boards that are published. */
export class LiveRecorder {
  readonly #byPipeline: ReadonlyMap<string, Recorded>;
  readonly #registry: SwitcherRegistry;
  readonly #lastMinuteOf: (key: PipelineKey) => LastMinute | null;
  readonly #stop: () => void;

  /** @param lastMinuteOf how requests of a pipeline ended, as its load source says; null: it does not. */
  constructor(
    pipelines: readonly Pipeline[],
    boards: BoardStore,
    registry: SwitcherRegistry,
    lastMinuteOf: (key: PipelineKey) => LastMinute | null,
  ) {
    this.#registry = registry;
    this.#lastMinuteOf = lastMinuteOf;
    const capacity = pointsKept(pipelines.length);
    this.#byPipeline = new Map(
      pipelines.map(pipeline => [
        formatKey(pipeline.key),
        { history: new LiveHistoryRing(pipeline, capacity), fill: new BatchFill(), lookedAtMs: 0 },
      ]),
    );
    this.#stop = boards.subscribe(null, board => this.#record(board));
  }

  /** Throws for a pipeline that is not there. */
  of(key: PipelineKey): Pick<Recorded, "history" | "fill"> {
    const recorded = this.#byPipeline.get(formatKey(key));
    if (!recorded) throw new Error(`${formatKey(key)} is not recorded`);
    return recorded;
  }

  lastMinute(key: PipelineKey): LastMinute | null {
    return this.#lastMinuteOf(key);
  }

  close(): void {
    this.#stop();
  }

  #record(board: PipelineBoard): void {
    const recorded = this.#byPipeline.get(formatKey(board.key));
    if (!recorded) return;
    if (!recorded.history.observe(board)) return;
    const views = this.#registry.views(board.key, board.atMs);
    recorded.history.add(board, views, this.#lastMinuteOf(board.key));
    if (Math.abs(board.atMs - recorded.lookedAtMs) < LOOK_EVERY_MS) return;
    recorded.lookedAtMs = board.atMs;
    recorded.fill.look(views);
  }
}
