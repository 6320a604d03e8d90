import type { PipelineBoard } from "../control/board.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import type { LastMinute } from "../domain/load-report.ts";
import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";
import type { BoardStore } from "./board-store.ts";
import { LiveHistoryRing, pointsKept } from "./live-history.ts";
import { RecentBatches } from "./served-batches.ts";
import type { SwitcherRegistry } from "./switcher-registry.ts";

/** Between looks at what batches hold: long enough for some to be served at a low load. */
const LOOK_EVERY_MS = 5000;

interface Recorded {
  readonly history: LiveHistoryRing;
  readonly batches: RecentBatches;
  /** The rows that the ladder would have chosen variants for, in shadow. */
  readonly shadow: RecentBatches;
  lookedAtMs: number;
}

/** Keeps the last minutes of every pipeline, from the boards that are published. */
export class LiveRecorder {
  readonly #byPipeline = new Map<string, Recorded>();
  readonly #registry: SwitcherRegistry;
  readonly #lastMinuteOf: (key: PipelineKey) => LastMinute | null;
  readonly #stop: () => void;

  /** @param lastMinuteOf how requests of a pipeline ended, as its load source says; null: it does not. */
  constructor(boards: BoardStore, registry: SwitcherRegistry, lastMinuteOf: (key: PipelineKey) => LastMinute | null) {
    this.#registry = registry;
    this.#lastMinuteOf = lastMinuteOf;
    this.#stop = boards.subscribe(null, board => this.#record(board));
  }

  /** @param pipelines how many there are, so that all of them have room: each has less of it the more come. */
  add(pipeline: Pipeline, pipelines: number): void {
    const points = pointsKept(pipelines);
    for (const recorded of this.#byPipeline.values()) recorded.history.shrink(points);
    const history = new LiveHistoryRing(pipeline, points);
    const recent = { batches: new RecentBatches(), shadow: new RecentBatches() };
    this.#byPipeline.set(formatKey(pipeline.key), { history, ...recent, lookedAtMs: 0 });
  }

  /** The history goes on where stages and variants are the same, and starts anew where they are not: it has a column for each. */
  replace(pipeline: Pipeline, before: Pipeline, pipelines: number): void {
    if (columnsOf(pipeline) !== columnsOf(before)) this.add(pipeline, pipelines);
  }

  remove(key: PipelineKey): void {
    this.#byPipeline.delete(formatKey(key));
  }

  /** Throws for a pipeline that is not there. */
  of(key: PipelineKey): Pick<Recorded, "history" | "batches" | "shadow"> {
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
    recorded.batches.look(views);
    recorded.shadow.look(views.map(countShadow));
  }
}

/** The rows that the ladder would have chosen variants for, as if each had been a batch that was served. */
function countShadow({ shadowRows = [], ...view }: SwitcherView): SwitcherView {
  const serviceTimes = shadowRows.map(({ variant, rows }) => ({ variant, rows: 1, batches: rows, totalMs: 0 }));
  return { ...view, serviceTimes };
}

function columnsOf({ stages }: Pipeline): string {
  return JSON.stringify(stages.map(({ name, variants }) => [name, variants.map(variant => variant.name)]));
}
