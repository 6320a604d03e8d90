import type { Logger } from "pino";
import type { PipelineBoard } from "../control/board.ts";
import { VariscaleError } from "../domain/errors.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import type { BoardStore } from "./board-store.ts";
import type { Clock } from "./clock.ts";
import type { Cluster } from "./cluster.ts";
import { decisionOf } from "./decision-record.ts";
import type { Journal } from "./journal.ts";
import type { Leadership } from "./leadership.ts";
import { NO_LIVE } from "./live-pipeline.ts";
import type { LoadSource } from "./load-source.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import type { ProcessConditions } from "./process-conditions.ts";
import { Rota } from "./rota.ts";
import type { StoredPipeline } from "./stored-pipeline.ts";
import type { SwitcherRegistry } from "./switcher-registry.ts";

const TICK_MS = 1000;
/** A pass that ends later than this after the one before has left one out. */
const LATE_AFTER_MS = 2 * TICK_MS;
/** Ticks of a pipeline that fail one after the other before it is tried whether its state is at fault: before its board is stale. */
const ANEW_AFTER = 10;

export interface ControlLoopOptions {
  /** By pipeline; one without has no load data. */
  readonly sources: { get(control: PipelineControl): LoadSource | undefined };
  readonly boards: BoardStore;
  readonly registry: SwitcherRegistry;
  /** Null: there is no Kubernetes to look at. */
  readonly cluster: () => Cluster | null;
  readonly journal: Journal;
  readonly conditions: ProcessConditions;
  readonly leadership: Leadership;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of every board that was decided. */
  readonly onBoard: (control: PipelineControl, board: PipelineBoard) => void;
  readonly onTick: (key: PipelineKey, seconds: number, ok: boolean) => void;
  readonly onDecision: (key: PipelineKey) => void;
  /** A pipeline has begun anew: ticks could not go on from `before`. */
  readonly onAnew: (control: PipelineControl, before: StoredPipeline, problem: string) => void;
  readonly onSkippedPass: () => void;
  /** Called at the end of every pass. */
  readonly onPass: () => void;
}

/**
 * The one loop: every second, one tick of every pipeline; its board is published and its assignments are sent. The ticks of a pass
 * are spread over the second, so that a call of KEDA's waits for one or two of them and not for all.
 */
export class ControlLoop {
  readonly #options: ControlLoopOptions;
  readonly #leaves = new Map<PipelineControl, () => void>();
  /** Ticks that failed since the last that did not. */
  readonly #failures = new Map<PipelineControl, number>();
  #isStarted = false;
  /** Without pipelines there are passes all the same: they show that the loop is alive. */
  #leaveIdle: () => void = () => undefined;
  readonly #rota: Rota;
  #passAtMs: number;

  constructor(options: ControlLoopOptions) {
    this.#options = options;
    this.#passAtMs = options.clock.nowMs();
    this.#rota = new Rota(options.clock, TICK_MS, () => this.#endPass());
  }

  /** When the newest pass was over. */
  get passAtMs(): number {
    return this.#passAtMs;
  }

  /** Ticks once before it returns, so that there is a board when the first call comes, and every second from then on. */
  add(control: PipelineControl): void {
    this.#leaves.set(control, () => undefined);
    if (this.#isStarted) this.#run(control);
  }

  /** No tick of it comes any more. */
  remove(control: PipelineControl): void {
    this.#leaves.get(control)?.();
    this.#leaves.delete(control);
    this.#failures.delete(control);
    this.#idle();
  }

  /** Ticks all once before it returns, and every second from then on. */
  start(): void {
    this.#isStarted = true;
    for (const control of this.#leaves.keys()) this.#tick(control);
    this.#endPass();
    for (const control of this.#leaves.keys()) this.#join(control);
    this.#idle();
  }

  close(): void {
    this.#isStarted = false;
    this.#rota.close();
  }

  #run(control: PipelineControl): void {
    this.#tick(control);
    this.#join(control);
    this.#idle();
  }

  #idle(): void {
    this.#leaveIdle();
    this.#leaveIdle = () => undefined;
    if (this.#isStarted && this.#leaves.size === 0) this.#leaveIdle = this.#rota.join(() => undefined);
  }

  #join(control: PipelineControl): void {
    this.#leaves.set(
      control,
      this.#rota.join(() => this.#tick(control)),
    );
  }

  #endPass(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#passAtMs > LATE_AFTER_MS) this.#options.onSkippedPass();
    this.#passAtMs = nowMs;
    this.#options.onPass();
  }

  /**
   * One tick where this process leads; else it only learns of the load. Whatever a tick throws, the last board stays and the next
   * pipeline has its turn. A pipeline whose ticks throw for what it goes on from begins anew, or it would be held for ever.
   */
  #tick(control: PipelineControl): void {
    const { boards, registry, clock, conditions, sources, leadership, logger, onBoard, onTick } = this.#options;
    const cluster = this.#options.cluster();
    const { key } = control.pipeline;
    const nowMs = clock.nowMs();
    const startMs = performance.now();
    let problem: string | null = null;
    try {
      const source = sources.get(control);
      const problemOfSource = source ? source.problem : `no source \`${control.pipeline.loadSource}\` is configured`;
      conditions.set(key, "LoadSourceAnswering", problemOfSource, nowMs);
      conditions.set(key, "LoadSourceWithoutWarnings", source?.warning ?? null, nowMs);
      if (!leadership.isLeading) {
        source?.takeAnswered();
        control.observe(source?.take() ?? [], nowMs, source?.staleAfterMs);
        return;
      }
      const { decisionId } = control;
      const live = { ...(cluster?.live(key) ?? NO_LIVE), lastMinute: source?.lastMinute ?? null };
      const views = registry.views(key, nowMs);
      control.observeAnswers(source?.takeAnswered() ?? []);
      const board = control.tick(source?.take() ?? [], views, nowMs, live, source?.staleAfterMs);
      boards.publish(board);
      onBoard(control, board);
      // A process that was stopped in the middle of a tick may lead no more.
      if (leadership.isLeading) registry.push(board);
      cluster?.observe(control.pipeline, board, control.stuckStages(nowMs), nowMs);
      this.#record(board, decisionId);
      this.#failures.delete(control);
    } catch (error) {
      const { message } = VariscaleError.from(error);
      problem = `a tick failed: ${message}; the last decision stays`;
      logger.error({ err: error, namespace: key.namespace, pipeline: key.name }, "tick failed");
      if (leadership.isLeading) this.#countFailure(control, message, nowMs);
    }
    conditions.set(key, "Ticking", problem, nowMs);
    onTick(key, (performance.now() - startMs) / 1000, problem === null);
  }

  #countFailure(control: PipelineControl, problem: string, nowMs: number): void {
    const { registry, cluster, sources, logger, onAnew } = this.#options;
    const { key } = control.pipeline;
    const failures = (this.#failures.get(control) ?? 0) + 1;
    this.#failures.set(control, failures);
    if (failures % ANEW_AFTER !== 0) return;
    try {
      const live = cluster()?.live(key) ?? NO_LIVE;
      const before = control.beginAnew(registry.views(key, nowMs), nowMs, live, sources.get(control)?.staleAfterMs);
      if (before) onAnew(control, before, problem);
    } catch (error) {
      logger.error({ err: error, namespace: key.namespace, pipeline: key.name }, "it can't be begun anew");
    }
  }

  #record(board: PipelineBoard, decidedBefore: string | null): void {
    const { journal, onDecision } = this.#options;
    const decision = decisionOf(board, decidedBefore);
    if (!decision) return;
    journal.decide(decision);
    onDecision(board.key);
  }
}
