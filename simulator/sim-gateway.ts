import { fanOutOf, type Pipeline, type Stage } from "../domain/pipeline.ts";
import { chunkRows } from "../gateway/balance.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Recorder } from "./recorder.ts";
import { NO_VARIANT, RequestTable } from "./request-table.ts";
import type { ServiceTable } from "./service-table.ts";
import type { SimAnswers } from "./sim-answers.ts";
import { SimBatcher } from "./sim-batcher.ts";
import type { SimReplica } from "./sim-replica.ts";
import { WorkIndex } from "./work-index.ts";

/** As in the gateway: only what would need this many times the time that is left is given up beforehand. */
const HOPELESS = 2;

export interface SimGatewayOptions {
  readonly pipeline: Pipeline;
  readonly tables: readonly (readonly (ServiceTable | null)[])[];
  readonly events: EventQueue;
  readonly recorder: Recorder;
  readonly answers: SimAnswers;
  /** A request is given up so long after it came. */
  readonly timeoutMs: number;
  /** Of service times, of fan-out and of balancing: each its own, so that a change of one leaves the others alone. */
  readonly random: { readonly service: () => number; readonly rows: () => number; readonly balance: () => number };
  /** `next` has taken over. */
  readonly onSwapped: (replica: SimReplica, nowMs: number) => void;
  /** A replica that drains has nothing left. */
  readonly onDrained: (replica: SimReplica, nowMs: number) => void;
}

interface PlannedStage {
  readonly stage: Stage;
  /** Place of the stage whose rows its own are counted from; -1: the request itself. */
  readonly upstream: number;
  readonly downstream: readonly number[];
  /** Rows for each upstream row, by the upstream variant; the last entry is for none. */
  readonly fanOut: readonly number[];
}

interface Waiting {
  readonly request: number;
  readonly rows: number;
}

/**
 * How requests go through the stages, by the rules of the gateway (`gateway/run-stage.ts`): a request's rows go in chunks to the replicas with
 * the least expected work, a stage starts when those that it depends on are done, and what can't be in time is given up.
 */
export class SimGateway {
  readonly requests: RequestTable;
  readonly batcher: SimBatcher;
  /** Replicas by stage that get new work. */
  readonly open: SimReplica[][];
  readonly #options: SimGatewayOptions;
  readonly #stages: readonly PlannedStage[];
  readonly #entries: readonly number[];
  readonly #waitsFor: readonly number[];
  readonly #waiting: Waiting[][];
  readonly #indexes: readonly WorkIndex[];
  readonly #overheadMs: number;
  readonly #isRandom: boolean;

  constructor(options: SimGatewayOptions) {
    const { pipeline } = options;
    this.#options = options;
    this.#stages = pipeline.stages.map(stage => plannedStage(pipeline, stage));
    this.#waitsFor = pipeline.stages.map(stage => stage.dependsOn.length);
    this.#entries = this.#waitsFor.flatMap((count, s) => (count === 0 ? [s] : []));
    this.requests = new RequestTable(pipeline.stages.length);
    this.batcher = new SimBatcher({
      tables: options.tables,
      events: options.events,
      requests: this.requests,
      random: options.random.service,
      onRows: (request, stage, rows, variant, isEnd, nowMs) =>
        this.#rowsDone(request, stage, rows, variant, isEnd, nowMs),
      onDropped: request => this.#fail(request, "dropped"),
      onSwapped: options.onSwapped,
      onDrained: options.onDrained,
    });
    this.open = pipeline.stages.map(() => []);
    this.#waiting = pipeline.stages.map(() => []);
    this.#indexes = pipeline.stages.map(() => new WorkIndex());
    this.#overheadMs = pipeline.overhead.latencyMs;
    this.#isRandom = pipeline.objective.balancing === "random";
  }

  /** A request comes. */
  offer(nowMs: number): void {
    const { recorder, timeoutMs } = this.#options;
    recorder.offered(nowMs);
    const request = this.requests.open(nowMs, nowMs + timeoutMs - this.#overheadMs, this.#waitsFor);
    for (const s of this.#entries) if (this.requests.failed[request] === 0) this.#start(request, s, nowMs);
  }

  /** A replica gets new work from now on. */
  join(replica: SimReplica, nowMs: number): void {
    this.open[replica.stage]?.push(replica);
    replica.index = this.#indexes[replica.stage] ?? null;
    replica.index?.add(replica);
    const waiting = this.#waiting[replica.stage]?.splice(0) ?? [];
    for (const { request, rows } of waiting) {
      if (this.requests.failed[request] === 0) this.#send(request, replica.stage, rows, nowMs);
      this.requests.leave(request);
    }
  }

  /** A replica gets no new work. */
  withdraw(replica: SimReplica): void {
    const open = this.open[replica.stage] ?? [];
    const at = open.indexOf(replica);
    if (at >= 0) open.splice(at, 1);
    replica.index?.remove(replica);
    replica.index = null;
  }

  /** Ends requests that have waited for a replica until their deadline. */
  dropExpired(nowMs: number): void {
    for (const [s, waiting] of this.#waiting.entries()) {
      if (waiting.length === 0) continue;
      const kept: Waiting[] = [];
      for (const entry of waiting) {
        if ((this.requests.deadlineMs[entry.request] as number) > nowMs) {
          kept.push(entry);
          continue;
        }
        this.#fail(entry.request, "dropped");
        this.requests.leave(entry.request);
      }
      this.#waiting[s] = kept;
    }
  }

  /** The replica is gone at once: what it had goes to another one, as the gateway tries once more; what had done so before is lost. */
  kill(replica: SimReplica, nowMs: number): void {
    this.withdraw(replica);
    for (const [request, { rows, chunks }] of this.batcher.empty(replica)) {
      if (this.requests.failed[request] === 0) {
        if (this.requests.retried[request] === 1) this.#fail(request, "lost");
        else this.#send(request, replica.stage, rows, nowMs);
        this.requests.retried[request] = 1;
      }
      for (let chunk = 0; chunk < chunks; chunk++) this.requests.leave(request);
    }
  }

  #rowsDone(request: number, s: number, rows: number, variant: number, isEnd: boolean, nowMs: number): void {
    const { requests } = this;
    if (requests.failed[request] === 0) {
      const at = request * this.#stages.length + s;
      const left = (requests.rowsLeft[at] as number) - rows;
      requests.rowsLeft[at] = left;
      requests.variant[at] = this.#leastAccurate(s, requests.variant[at] as number, variant);
      if (left === 0) this.#finish(request, s, nowMs);
    }
    if (isEnd) requests.leave(request);
  }

  /** A request that several variants served counts as served by the least accurate one. */
  #leastAccurate(s: number, before: number, now: number): number {
    if (before === NO_VARIANT || before === now) return now;
    const accuracy = (index: number): number => this.#table(s, index).variant.accuracy ?? 1;
    return accuracy(now) < accuracy(before) ? now : before;
  }

  #start(request: number, s: number, nowMs: number): void {
    const { requests } = this;
    const { upstream, fanOut } = this.#stages[s] as PlannedStage;
    const from = request * this.#stages.length;
    const upstreamRows = upstream < 0 ? 1 : (requests.rows[from + upstream] as number);
    const upstreamVariant = upstream < 0 ? NO_VARIANT : (requests.variant[from + upstream] as number);
    const mean = upstreamRows * (fanOut[upstreamVariant < 0 ? fanOut.length - 1 : upstreamVariant] as number);
    const whole = Math.floor(mean);
    const rows = mean === whole ? whole : whole + (this.#options.random.rows() < mean - whole ? 1 : 0);
    requests.rows[from + s] = rows;
    requests.rowsLeft[from + s] = rows;
    if (rows === 0) this.#finish(request, s, nowMs);
    else this.#send(request, s, rows, nowMs);
  }

  #send(request: number, s: number, rows: number, nowMs: number): void {
    const open = this.open[s] as SimReplica[];
    if (rows === 1 || open.length === 0) {
      this.#sendChunk(request, s, rows, nowMs);
      return;
    }
    const { rowMs, batch } = (this.#indexes[s] as WorkIndex).least;
    const size = chunkRows(rows, open.length, rowMs, Number.isFinite(batch) ? batch : null);
    for (let left = rows; left > 0 && this.requests.failed[request] === 0; left -= size)
      this.#sendChunk(request, s, Math.min(size, left), nowMs);
  }

  #sendChunk(request: number, s: number, rows: number, nowMs: number): void {
    const { requests } = this;
    const replica = this.#pick(s, rows);
    if (replica === null) {
      requests.chunks[request] = (requests.chunks[request] as number) + 1;
      this.#waiting[s]?.push({ request, rows });
      return;
    }
    const leftMs = (requests.deadlineMs[request] as number) - nowMs;
    const workMs = (replica.outstandingRows + rows) * replica.servedRowMs;
    if (workMs > HOPELESS * leftMs || this.batcher.wouldBeLate(replica, rows, leftMs, nowMs)) {
      this.#fail(request, "dropped");
      return;
    }
    requests.chunks[request] = (requests.chunks[request] as number) + 1;
    replica.gain(rows);
    replica.queue.add(request, rows, nowMs);
    this.batcher.pump(replica, nowMs);
  }

  #pick(s: number, rows: number): SimReplica | null {
    const open = this.open[s] as SimReplica[];
    if (open.length <= 1) return open[0] ?? null;
    if (this.#isRandom) return open[Math.floor(this.#options.random.balance() * open.length)] ?? null;
    return (this.#indexes[s] as WorkIndex).pick(rows, this.#options.random.balance);
  }

  #finish(request: number, s: number, nowMs: number): void {
    const { requests } = this;
    const stagesLeft = (requests.stagesLeft[request] as number) - 1;
    requests.stagesLeft[request] = stagesLeft;
    if (stagesLeft === 0) {
      this.#answer(request, nowMs);
      return;
    }
    const from = request * this.#stages.length;
    for (const next of (this.#stages[s] as PlannedStage).downstream) {
      const waitsFor = (requests.waitsFor[from + next] as number) - 1;
      requests.waitsFor[from + next] = waitsFor;
      if (waitsFor === 0 && requests.failed[request] === 0) this.#start(request, next, nowMs);
    }
  }

  #answer(request: number, nowMs: number): void {
    const { requests } = this;
    const arrivedMs = requests.arrivedMs[request] as number;
    // The gateway has answered at the deadline that it was too late.
    if (nowMs > (requests.deadlineMs[request] as number)) this.#options.recorder.failed(arrivedMs, "dropped");
    else
      this.#options.recorder.answered(arrivedMs, nowMs - arrivedMs + this.#overheadMs, this.#accuracy(request, nowMs));
    requests.end(request);
  }

  #fail(request: number, outcome: "dropped" | "lost"): void {
    const { requests } = this;
    if (requests.failed[request] === 1) return;
    requests.failed[request] = 1;
    this.#options.recorder.failed(requests.arrivedMs[request] as number, outcome);
    requests.end(request);
  }

  #accuracy(request: number, nowMs: number): number {
    const from = request * this.#stages.length;
    let combination = 0;
    for (let s = 0; s < this.#stages.length; s++) {
      const { stage } = this.#stages[s] as PlannedStage;
      combination = combination * (stage.variants.length + 1) + (this.requests.variant[from + s] as number) + 1;
    }
    return this.#options.answers.answer(combination, () => this.#variantNames(from), nowMs);
  }

  #variantNames(from: number): readonly string[] {
    return this.#stages.map(({ stage }, s) => {
      const index = this.requests.variant[from + s] as number;
      return index === NO_VARIANT ? stage.defaultVariant : this.#table(s, index).variant.name;
    });
  }

  #table(s: number, variant: number): ServiceTable {
    return this.#options.tables[s]?.[variant] as ServiceTable;
  }
}

function plannedStage(pipeline: Pipeline, stage: Stage): PlannedStage {
  const upstream = pipeline.stages.findIndex(({ name }) => name === stage.upstream);
  const variants = pipeline.stages[upstream]?.variants ?? [];
  return {
    stage,
    upstream,
    downstream: pipeline.stages.flatMap(({ dependsOn }, s) => (dependsOn.includes(stage.name) ? [s] : [])),
    fanOut: [...variants.map(({ name }) => fanOutOf(stage, name)), fanOutOf(stage, null)],
  };
}
