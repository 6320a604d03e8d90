import { setTimeout as sleep } from "node:timers/promises";
import type { PipelineBoard } from "../control/board.ts";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import { KubernetesClient } from "../runtime/kubernetes.ts";
import { BoardPublisher } from "./board-publisher.ts";
import { BoardStore } from "./board-store.ts";
import { GoneBoards, KEPT_MS } from "./gone-boards.ts";
import { createHaMetrics, type HaMetrics } from "./ha-metrics.ts";
import type { HighAvailabilityContext, HighAvailabilityOptions } from "./ha-options.ts";
import type { AnsweredBoard } from "./keda-answer.ts";
import type { Leadership } from "./leadership.ts";
import { systemTime } from "./lease-clock.ts";
import { LeaseElector } from "./lease-elector.ts";
import {
  ALL_STUCK,
  addressesOf,
  type LeaderAddresses,
  type LeaseRecord,
  type ScalerPorts,
  type Vouch,
} from "./lease-record.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import { compareWrites } from "./shared-board.ts";
import { SharedBoards } from "./shared-boards.ts";
import type { StoredPipeline } from "./stored-pipeline.ts";

/** A scaler that starts waits this long at most for what is shared. */
const SYNC_WITHIN_MS = 5000;
/** The last writes of a leader that ends. */
const CLOSE_WITHIN_MS = 3000;
/** A pipeline whose newest tick, or its write, is longer ago is not vouched for. */
const STUCK_AFTER_MS = 5000;

/**
 * Several scalers of the same pipelines, one of which leads: it plans, assigns, and shares its boards. The others learn of the load, answer
 * KEDA from those boards, and one of them goes on from them when the leader is gone.
 */
export class HighAvailability implements Leadership {
  /** What KEDA is answered from, by whomever leads. */
  readonly answered: BoardStore<AnsweredBoard>;
  readonly #options: HighAvailabilityOptions;
  readonly #context: HighAvailabilityContext;
  readonly #metrics: HaMetrics;
  readonly #client: KubernetesClient;
  readonly #boards: SharedBoards;
  readonly #publisher: BoardPublisher;
  readonly #gone: GoneBoards;
  #elector: LeaseElector | null = null;
  #controls: () => readonly PipelineControl[] = () => [];
  #isComplete: () => boolean = () => false;
  /** The epoch that this process leads in, once it has taken over; null: it follows. */
  #epoch: number | null = null;
  #lookProblem: string | null = null;
  /** When the leader was last known to be alive, with nothing of it missing here. */
  #vouchedAtMs: number | null = null;
  #isClosed = false;

  /** Follows what is shared from now on. */
  constructor(options: HighAvailabilityOptions, context: HighAvailabilityContext) {
    const { namespace, lease } = options;
    const { clock, logger, conditions } = context;
    this.#options = options;
    this.#context = context;
    this.#metrics = createHaMetrics(context.prometheus);
    this.#client = new KubernetesClient(options.config);
    this.answered = new BoardStore(error => logger.error({ err: error }, "a reader of boards failed"));
    const client = this.#client;
    const served = (): ReadonlySet<string> => new Set(this.#controls().map(({ pipeline }) => formatKey(pipeline.key)));
    this.#boards = new SharedBoards({
      ...{ client, namespace, lease, clock, logger, served },
      random: Math.random,
      isOwn: ({ epoch }) => epoch === this.#epoch,
      leaseEpoch: () => this.#elector?.record?.epoch ?? 0,
      onBoard: board => this.#follow(board),
      onGone: key => this.answered.forget(key),
    });
    this.#gone = new GoneBoards({
      ...{ client, namespace, clock, logger, served, keptMs: options.keptMs ?? KEPT_MS },
      objects: () => this.#boards.objects,
    });
    this.#publisher = new BoardPublisher({
      ...{ client, namespace, lease, clock },
      isLeading: () => this.isLeading,
      onPublished: board => {
        if (this.isLeading) this.answered.publish(board);
      },
      onWrite: (key, problem) => {
        this.#metrics.boardWrites.inc({ outcome: problem === null ? "ok" : "failed" });
        conditions.set(key, "BoardShared", problem, clock.nowMs());
      },
      onDeposed: () => this.#elector?.look(),
    });
  }

  /** What is shared is known when this is done, unless the API server does not answer. */
  untilSynced(): Promise<void> {
    return this.#boards.untilSynced(SYNC_WITHIN_MS);
  }

  /** That this process leads in; 0: it does not. */
  get epoch(): number {
    return this.#epoch ?? 0;
  }

  get isLeading(): boolean {
    return this.#epoch !== null && this.#elector?.isHolding === true;
  }

  get mayBeLost(): boolean {
    return this.#elector?.mayBeLost ?? true;
  }

  get leader(): LeaderAddresses | null {
    return this.isLeading ? null : (this.#leaderRecord?.addresses ?? null);
  }

  /** KEDA gets answers of the leader here that are not stale. */
  get isReady(): boolean {
    return this.isLeading || (this.#boards.isSynced && this.#sinceVouchedMs <= this.#context.staleAfterMs);
  }

  /** What the leader has shared of a pipeline; null: nothing that can be used. */
  stored(key: PipelineKey): StoredPipeline | null {
    return this.#boards.stored(key);
  }

  /** Forgets a pipeline that is gone; its ConfigMap stays for a while, for when it comes back. */
  forget(key: PipelineKey): void {
    this.answered.forget(key);
    this.#publisher.forget(key);
  }

  /**
   * Stands for election from now on.
   *
   * @param isComplete whether `controls` are of all pipelines that there are, as far as can be known.
   */
  start(controls: () => readonly PipelineControl[], ports: ScalerPorts, isComplete: () => boolean): void {
    const { namespace, lease: name, identity, times, advertiseHost, time = systemTime } = this.#options;
    const addresses = addressesOf(advertiseHost, ports);
    const { clock, logger } = this.#context;
    this.#controls = controls;
    this.#isComplete = isComplete;
    this.#elector = new LeaseElector({
      ...{ client: this.#client, namespace, name, identity, addresses, times, clock, time, logger },
      epochAbove: () => (this.#boards.isSynced ? this.#boards.newest.epoch : null),
      vouch: () => this.#vouch(),
      onAcquired: (record, before) => void this.#takeOver(record, before),
      onLost: () => this.#lose(),
      onChanged: record => this.#believe(record),
      onLook: problem => {
        this.#lookProblem = problem;
        this.#metrics.leaseLooks.inc({ outcome: problem === null ? "ok" : "failed" });
      },
    });
    this.#metrics.show({
      isLeading: () => this.isLeading,
      transitions: () => this.#elector?.record?.transitions ?? 0,
      sinceVouchedMs: () => (this.isLeading ? 0 : this.#sinceVouchedMs),
    });
    this.#elector.start();
  }

  /** A board that the leader has decided: KEDA is told when it is shared. */
  offer(control: PipelineControl, board: PipelineBoard): void {
    this.#publisher.offer(control, board);
  }

  /** Shares what an operator has changed. Throws unavailable where that failed. */
  save(control: PipelineControl): Promise<void> {
    return this.#publisher.save(control);
  }

  /** Says what is wrong, and clears away what is gone: every second. */
  observe(): void {
    this.#gone.look(this.isLeading && this.#isComplete());
    const { conditions, clock } = this.#context;
    const nowMs = clock.nowMs();
    const problem = this.#problem();
    for (const { pipeline } of this.#controls()) {
      conditions.set(pipeline.key, "LeaderKnown", problem, nowMs);
      if (!this.isLeading) conditions.set(pipeline.key, "BoardShared", this.#boards.problemOf(pipeline.key), nowMs);
    }
  }

  /** Shares everything once more and lets another lead. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.isLeading)
      await Promise.race([this.#publisher.close(), sleep(CLOSE_WITHIN_MS, undefined, { ref: false })]);
    await this.#elector?.close();
    this.#boards.close();
    this.#client.close();
  }

  get #leaderRecord(): LeaseRecord | null {
    const record = this.#elector?.liveLeader ?? null;
    return record?.holder === this.#options.identity ? null : record;
  }

  get #sinceVouchedMs(): number {
    const { clock } = this.#context;
    return this.#vouchedAtMs === null ? Number.POSITIVE_INFINITY : Math.abs(clock.nowMs() - this.#vouchedAtMs);
  }

  #problem(): string | null {
    if (this.isLeading) return null;
    const because = this.#lookProblem === null ? "" : ` ${this.#lookProblem}`;
    if (this.#epoch !== null)
      return `the Lease could not be renewed: nothing is planned and assigned, and KEDA is answered what was shared last until it is stale.${because}`;
    if (this.#lookProblem !== null) return `who leads is not known.${because}`;
    if (this.#boards.problem !== null) return `the leader's boards are not followed. ${this.#boards.problem}`;
    if (this.#leaderRecord === null) return "no scaler leads: one will as soon as the Lease has run out";
    if (this.#sinceVouchedMs > STUCK_AFTER_MS) return "what the leader has shared last has not come here yet";
    return null;
  }

  /** What stands behind a renewal of this leader. */
  #vouch(): Vouch {
    const newestWrite = this.#publisher.newestWrite;
    if (!this.isLeading) return { newestWrite, stuck: [ALL_STUCK] };
    const nowMs = this.#context.clock.nowMs();
    const stuck = this.#controls().filter(({ pipeline: { key } }) => {
      const board = this.answered.latest(key);
      return board === null || Math.abs(nowMs - board.atMs) > STUCK_AFTER_MS;
    });
    return { newestWrite, stuck: stuck.map(({ pipeline }) => formatKey(pipeline.key)) };
  }

  /** A follower has read a renewal: the boards hold for so long, if none is missing and their pipelines' loops run. */
  #believe({ epoch, newestWrite, stuck }: LeaseRecord): void {
    if (newestWrite > 0 && compareWrites({ epoch, number: newestWrite }, this.#boards.newest) > 0) return;
    const nowMs = this.#context.clock.nowMs();
    this.#vouchedAtMs = nowMs;
    if (stuck.includes(ALL_STUCK)) return;
    for (const { pipeline } of this.#controls()) {
      const board = stuck.includes(formatKey(pipeline.key)) ? null : this.#boards.answered(pipeline.key);
      if (board) this.answered.publish({ ...board, atMs: nowMs });
    }
  }

  /** A new board of the leader. What was there when this process started is as old as it says. */
  #follow(board: AnsweredBoard): void {
    if (this.isLeading) return;
    const nowMs = this.#context.clock.nowMs();
    const atMs = this.#elector?.liveLeader ? nowMs : Math.min(nowMs, board.atMs);
    this.answered.publish({ ...board, atMs });
  }

  async #takeOver(record: LeaseRecord, before: LeaseRecord | null): Promise<void> {
    const { logger } = this.#context;
    const { epoch } = record;
    // A Lease that could not be renewed for a while and then was is still this one: only another epoch ends the attempts.
    const isMine = (): boolean => !this.#isClosed && this.#elector?.record?.epoch === epoch;
    const fields = { identity: record.holder, epoch, before: before?.holder ?? null };
    logger.info(fields, "this scaler leads");
    for (;;) {
      try {
        const objects = await this.#boards.readAll();
        if (!isMine()) return;
        this.#publisher.begin(epoch, objects);
        for (const control of this.#controls()) this.#goOn(control, epoch);
        this.#epoch = epoch;
        return;
      } catch (thrown) {
        logger.warn(
          { ...fields, problem: VariscaleError.from(thrown).message },
          "what was shared can't be read: trying again",
        );
      }
      await sleep(this.#options.times.retryMs);
      if (!isMine()) return;
    }
  }

  /** What can't be gone on from is one pipeline's alone: that one goes on from what is known here, and all others as they would. */
  #goOn(control: PipelineControl, epoch: number): void {
    const { conditions, logger, clock } = this.#context;
    const { key } = control.pipeline;
    const nowMs = clock.nowMs();
    let problem = this.#boards.problemOf(key);
    try {
      control.takeOver(this.stored(key), epoch, nowMs);
    } catch (thrown) {
      problem = `what the leader before shared can't be gone on from: ${VariscaleError.from(thrown).message}`;
      logger.error({ err: thrown, namespace: key.namespace, pipeline: key.name }, "a pipeline was not taken over");
      control.takeOver(null, epoch, nowMs);
    }
    const said = problem === null ? null : `${problem}. It goes on from what this scaler knew of it`;
    conditions.set(key, "TakenOver", said, nowMs);
  }

  #lose(): void {
    this.#epoch = null;
    this.#vouchedAtMs = null;
    this.#context.logger.warn({ identity: this.#options.identity }, "another scaler may lead: this one follows");
    this.#context.onLost();
  }
}
