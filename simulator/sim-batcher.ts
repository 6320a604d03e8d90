import { chooseBatch } from "../domain/serving/choose-batch.ts";
import { findRefused } from "../domain/serving/refusals.ts";
import { gammaSample } from "../variant-switcher/gamma-sample.ts";
import { EVENT, type EventQueue } from "./event-queue.ts";
import type { RequestTable } from "./request-table.ts";
import type { SimRung } from "./service-table.ts";
import type { SimCall, SimReplica } from "./sim-replica.ts";

export interface SimBatcherOptions {
  readonly events: EventQueue;
  readonly requests: RequestTable;
  /** Of service times. */
  readonly random: () => number;
  /** How many times as long as measured a batch takes that begins now. */
  readonly findSlowness: (nowMs: number) => number;
  /** Rows of a request were served by the stage's variant at `place`. @param isEnd they were the last ones of their call. */
  readonly onRows: (request: number, stage: number, rows: number, place: number, isEnd: boolean, nowMs: number) => void;
  /** The replica has sent the call back, as not even its lightest rung could serve it in time, or as the request's deadline has passed. */
  readonly onRefused: (call: SimCall, replica: SimReplica, nowMs: number) => void;
  /** A replica that drains has nothing left. */
  readonly onDrained: (replica: SimReplica, nowMs: number) => void;
}

const NONE: readonly SimCall[] = [];

/** How replicas work off their calls, batch by batch, by the rule of the switchers (`domain/serving`). */
export class SimBatcher {
  readonly #options: SimBatcherOptions;

  constructor(options: SimBatcherOptions) {
    this.#options = options;
  }

  /** Hands a call to a replica, which refuses it at once where it is hopeless behind what is there. */
  add(replica: SimReplica, call: SimCall, nowMs: number): void {
    const { waiting } = replica;
    replica.outstandingRows += call.rows;
    replica.soonestHardMs = waiting.calls.length === 0 ? call.hardMs : Math.min(replica.soonestHardMs, call.hardMs);
    waiting.add(call, nowMs);
    if (replica.running === null) this.pump(replica, nowMs);
    else this.#tellRefused(replica, this.#refuse(replica, Math.max(nowMs, replica.freeAtMs)), nowMs);
  }

  /** Lets an idle replica take a batch. */
  pump(replica: SimReplica, nowMs: number): void {
    if (replica.running !== null) return;
    if (replica.waiting.calls.length > 0) this.#run(replica, nowMs);
    if (replica.phase === "draining" && replica.outstandingRows === 0) this.#options.onDrained(replica, nowMs);
  }

  /** The batch that runs at the replica has ended. */
  batchDone(replica: SimReplica, nowMs: number): void {
    const { running } = replica;
    if (running === null) return;
    const { onRows } = this.#options;
    const { table, maxBatch, profileMs } = running.rung as SimRung;
    replica.running = null;
    replica.outstandingRows -= running.rows;
    replica.ran({ table, maxBatch }, running.rows, profileMs[running.rows] as number, nowMs);
    for (const { call, rows } of running.parts)
      onRows((call as SimCall).request, replica.stage, rows, table.place, call.rows === 0, nowMs);
    this.pump(replica, nowMs);
  }

  /** Takes all work from a replica that is gone: its calls, and how many rows of each are not answered. */
  empty(replica: SimReplica): readonly { readonly call: SimCall; readonly rows: number }[] {
    const running = new Map(replica.running?.parts.map(({ call, rows }) => [call as SimCall, rows]));
    const calls = new Set([...running.keys(), ...replica.waiting.calls]);
    replica.running = null;
    return [...calls].map(call => ({ call, rows: call.rows + (running.get(call) ?? 0) }));
  }

  /** Refuses what is hopeless, and runs the next batch of the rest. */
  #run(replica: SimReplica, nowMs: number): void {
    const { ladder, waiting } = replica;
    if (ladder.rungs.length === 0) return;
    const { random, events, findSlowness } = this.#options;
    this.#removeEnded(replica);
    const expired = this.#takeExpired(replica, nowMs);
    const refused = this.#refuse(replica, nowMs);
    if (waiting.calls.length > 0) {
      const expected = waiting.expectCall(nowMs);
      const startMs = nowMs + replica.batchTimes.findLongestDelayMs(expected?.softAfterMs ?? 0);
      const batch = chooseBatch(ladder, waiting.calls, startMs, expected);
      const { rung, rows, parts } = batch;
      for (const part of parts) waiting.take(part.call as SimCall, part.rows, rung.variant);
      const { meanMs, scv } = (rung as SimRung).table;
      replica.running = batch;
      replica.runningSinceMs = nowMs;
      replica.freeAtMs = nowMs + (rung.batchMs[rows] as number);
      const tookMs = findSlowness(nowMs) * gammaSample(meanMs[rows] as number, scv[rows] as number, random);
      events.add(nowMs + tookMs, EVENT.batchDone, replica.id);
    }
    this.#tellRefused(replica, expired, nowMs);
    this.#tellRefused(replica, refused, nowMs);
  }

  /** Takes calls out whose deadlines have passed: an idle replica would keep and serve one that is alone. */
  #takeExpired(replica: SimReplica, nowMs: number): readonly SimCall[] {
    if (nowMs < replica.soonestHardMs) return NONE;
    const { deadlineMs } = this.#options.requests;
    const expired = replica.waiting.calls.filter(({ request }) => (deadlineMs[request] as number) <= nowMs);
    for (const call of expired) this.#remove(replica, call);
    return expired;
  }

  /** Takes calls out where even the floor can't serve all in time. */
  #refuse(replica: SimReplica, freeMs: number): readonly SimCall[] {
    const { ladder, waiting, running, batchTimes, soonestHardMs } = replica;
    const startMs = freeMs + batchTimes.usualDelayMs;
    // Nearly always all is in time, however badly the rows fill batches: then nobody needs to look at every call.
    const { longestRowMs } = ladder.rungs[ladder.rungs.length - 1] as SimRung;
    if (startMs + waiting.rows * longestRowMs <= soonestHardMs) return NONE;
    const refused = findRefused(ladder, waiting.calls, startMs, running === null);
    for (const call of refused) this.#remove(replica, call);
    return refused;
  }

  /** They may come to another replica, and what that refuses may come here: this one must be busy by then, where it has work. */
  #tellRefused(replica: SimReplica, refused: readonly SimCall[], nowMs: number): void {
    for (const call of refused) this.#options.onRefused(call, replica, nowMs);
  }

  /** Requests that are over leave their calls behind: what failed elsewhere needs no answer. */
  #removeEnded(replica: SimReplica): void {
    const { requests } = this.#options;
    const { calls } = replica.waiting;
    for (let at = calls.length - 1; at >= 0; at--) {
      const call = calls[at] as SimCall;
      if (requests.failed[call.request] === 0) continue;
      this.#remove(replica, call);
      requests.leave(call.request);
    }
  }

  #remove(replica: SimReplica, call: SimCall): void {
    replica.waiting.remove(call);
    replica.outstandingRows -= call.rows;
  }
}
