import type { PipelineBoard } from "../control/board.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import {
  type LiveHistory,
  PIPELINE_COLUMNS,
  type PipelineColumn,
  STAGE_COLUMNS,
  type StageColumn,
} from "../dashboard/live-view.ts";
import { mainPart } from "../domain/configuration.ts";
import type { LastMinute } from "../domain/load-report.ts";
import type { Pipeline } from "../domain/pipeline.ts";

/** What is shown of every pipeline. */
const SPAN_MS = 600_000;
/** Points of all pipelines together, about a hundred bytes each, and the most and the least of one. */
const MOST_POINTS = 6000;
const MOST_PER_PIPELINE = 600;
const LEAST_PER_PIPELINE = 60;
/** Ticks come a little early or late. */
const TICK_JITTER_MS = 250;

const LOAD = PIPELINE_COLUMNS.indexOf("loadRps");

/** Points that are kept of each of so many pipelines. */
export function pointsKept(pipelines: number): number {
  const share = Math.floor(MOST_POINTS / Math.max(1, pipelines));
  return Math.min(MOST_PER_PIPELINE, Math.max(LEAST_PER_PIPELINE, share));
}

/**
 * The last ten minutes of one pipeline, for who opens the page: a point a second, or one for several seconds where there are fewer points. A
 * ring of numbers, in which NaN is what is not known.
 */
export class LiveHistoryRing {
  readonly #pipeline: Pipeline;
  readonly #width: number;
  #stepMs: number;
  #atMs: Float64Array;
  #decisionId: (string | null)[];
  #values: Float32Array;
  #points = 0;
  /** Highest second since the newest point; NaN: none is known. */
  #loadRps = Number.NaN;

  constructor(pipeline: Pipeline, capacity: number) {
    this.#pipeline = pipeline;
    this.#stepMs = SPAN_MS / capacity;
    this.#width = PIPELINE_COLUMNS.length + pipeline.stages.length * STAGE_COLUMNS.length;
    this.#atMs = new Float64Array(capacity);
    this.#decisionId = new Array<string | null>(capacity).fill(null);
    this.#values = new Float32Array(capacity * this.#width);
  }

  /** Has room for so many points from now on, if that is fewer: each stands for longer then, with the highest load of those that it takes in. */
  shrink(capacity: number): void {
    if (capacity >= this.#atMs.length) return;
    const before = { atMs: this.#atMs, decisionId: this.#decisionId, values: this.#values };
    const slots = this.#slotsAfter(Number.NEGATIVE_INFINITY);
    this.#stepMs = SPAN_MS / capacity;
    this.#atMs = new Float64Array(capacity);
    this.#decisionId = new Array<string | null>(capacity).fill(null);
    this.#values = new Float32Array(capacity * this.#width);
    const thin = (leastStepMs: number) => thinned(slots, slot => before.atMs[slot] ?? 0, leastStepMs);
    const jittered = thin(this.#stepMs - TICK_JITTER_MS);
    // Rather fewer points than there is room for than the oldest minutes lost.
    const kept = (jittered.length <= capacity ? jittered : thin(this.#stepMs)).slice(-capacity);
    this.#points = kept.length;
    for (const [i, [slot, ...others]] of kept.entries()) {
      const row = (of: number) => before.values.subarray(of * this.#width, (of + 1) * this.#width);
      this.#atMs[i] = before.atMs[slot] ?? 0;
      this.#decisionId[i] = before.decisionId[slot] ?? null;
      this.#values.set(row(slot), i * this.#width);
      const loads = [slot, ...others].map(of => row(of)[LOAD] ?? Number.NaN).filter(load => !Number.isNaN(load));
      if (loads.length > 0) this.#values[i * this.#width + LOAD] = Math.max(...loads);
    }
  }

  /** Takes the load of every board into account. True: a point is due. */
  observe({ atMs, load }: Pick<PipelineBoard, "atMs" | "load">): boolean {
    if (load) this.#loadRps = Number.isNaN(this.#loadRps) ? load.rateRps : Math.max(this.#loadRps, load.rateRps);
    const sinceMs = atMs - (this.#atMs[(this.#points - 1) % this.#atMs.length] ?? Number.NEGATIVE_INFINITY);
    return sinceMs >= this.#stepMs - TICK_JITTER_MS || sinceMs < 0;
  }

  add(board: PipelineBoard, switchers: readonly SwitcherView[], lastMinute: LastMinute | null): void {
    const slot = this.#points % this.#atMs.length;
    this.#points += 1;
    this.#atMs[slot] = board.atMs;
    this.#decisionId[slot] = board.decisionId;
    this.#values.set(rowOf(this.#pipeline, board, switchers, lastMinute), slot * this.#width);
    this.#values[slot * this.#width + LOAD] = this.#loadRps;
    this.#loadRps = Number.NaN;
  }

  /** Points later than `afterMs`, oldest first; a clock that was set back starts anew. */
  after(afterMs: number): LiveHistory {
    const slots = this.#slotsAfter(afterMs);
    const column = (index: number) => slots.map(slot => numberOf(this.#values[slot * this.#width + index]));
    const stageColumn = (s: number, c: number) => column(PIPELINE_COLUMNS.length + s * STAGE_COLUMNS.length + c);
    return {
      atMs: slots.map(slot => this.#atMs[slot] ?? 0),
      decisionId: slots.map(slot => this.#decisionId[slot] ?? null),
      values: recordOf(PIPELINE_COLUMNS, (_name, i) => column(i)),
      stages: this.#pipeline.stages.map((_stage, s) => recordOf(STAGE_COLUMNS, (_name, c) => stageColumn(s, c))),
    };
  }

  #slotsAfter(afterMs: number): number[] {
    const capacity = this.#atMs.length;
    const slots: number[] = [];
    let laterMs = Number.POSITIVE_INFINITY;
    for (let point = this.#points - 1; point >= Math.max(0, this.#points - capacity); point--) {
      const slot = point % capacity;
      const atMs = this.#atMs[slot] ?? 0;
      if (atMs <= afterMs || atMs >= laterMs) break;
      laterMs = atMs;
      slots.push(slot);
    }
    return slots.reverse();
  }
}

/** The newest slot, and from there on those that are at least a step apart, each with the earlier ones that it stands for; oldest first. */
function thinned(
  slots: readonly number[],
  atMs: (slot: number) => number,
  leastStepMs: number,
): readonly (readonly [number, ...number[]])[] {
  const kept: [number, ...number[]][] = [];
  for (const slot of slots.toReversed()) {
    const last = kept.at(-1);
    if (last && atMs(last[0]) - atMs(slot) < leastStepMs) last.push(slot);
    else kept.push([slot]);
  }
  return kept.reverse();
}

function rowOf(
  pipeline: Pipeline,
  board: PipelineBoard,
  switchers: readonly SwitcherView[],
  lastMinute: LastMinute | null,
): number[] {
  const { load, forecast, plan, served: servedNow, estimated } = board;
  const values: Record<PipelineColumn, number | undefined> = {
    loadRps: load?.rateRps,
    peakP50Rps: forecast?.peakRps[0],
    peakP99Rps: forecast?.peakRps[3],
    horizonMs: forecast?.horizonMs,
    planRps: plan?.rateRps,
    accuracy: plan?.isAccuracyKnown ? plan.accuracy : undefined,
    servedAccuracy: servedNow?.accuracy ?? undefined,
    effectiveAccuracy: plan?.isAccuracyKnown ? plan.effectiveAccuracy : undefined,
    estimatedAccuracy: estimated?.accuracy,
    cores: plan?.cores,
    latencyMs: plan?.latencyMs,
    p99Ms: lastMinute?.latencyMs?.p99,
    inTime: lastMinute && lastMinute.ended > 0 ? lastMinute.inTime / lastMinute.ended : undefined,
  };
  const ofStages = pipeline.stages.flatMap(stage => {
    const views = switchers.filter(view => view.stage === stage.name);
    const staged = board.stages.find(other => other.stage === stage.name);
    const planned = plan?.stages.find(other => other.stage === stage.name);
    const served = mostServed(views) ?? (planned && mainPart(planned)?.variant);
    const index = stage.variants.findIndex(variant => variant.name === served);
    const ofStage: Record<StageColumn, number | undefined> = {
      replicasNow: staged?.replicasNow,
      replicasReady: staged?.replicasReady,
      variant: index < 0 ? undefined : index,
      queuedRows: views.length === 0 ? undefined : views.reduce((sum, view) => sum + view.queuedRows, 0),
    };
    return STAGE_COLUMNS.map(name => ofStage[name] ?? Number.NaN);
  });
  return [...PIPELINE_COLUMNS.map(name => values[name] ?? Number.NaN), ...ofStages];
}

/** The variant that most ready switchers serve; undefined: none is ready. */
function mostServed(views: readonly SwitcherView[]): string | undefined {
  const counts = new Map<string, number>();
  for (const { ready, variant } of views) if (ready) counts.set(variant, (counts.get(variant) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]?.[0];
}

/** Seven digits are what a Float32 has. */
function numberOf(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(7));
}

function recordOf<K extends string, V>(names: readonly K[], of: (name: K, index: number) => V): Readonly<Record<K, V>> {
  return Object.fromEntries(names.map((name, i) => [name, of(name, i)])) as Record<K, V>;
}
