import { fanOutOf, type Pipeline, type Stage } from "../domain/pipeline.ts";
import { findDeadlines } from "../domain/serving/deadlines.ts";
import { chooseOfTwo, splitRows } from "../gateway/balance.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Recorder } from "./recorder.ts";
import { MIXED, NO_VARIANT, RequestTable } from "./request-table.ts";
import type { SimAnswers } from "./sim-answers.ts";
import { SimBatcher } from "./sim-batcher.ts";
import type { SimCall, SimReplica } from "./sim-replica.ts";

export interface SimGatewayOptions {
  readonly pipeline: Pipeline;
  readonly events: EventQueue;
  readonly recorder: Recorder;
  readonly answers: SimAnswers;
  /** How many times as long as measured a batch takes that begins now. Missing: once. */
  readonly findSlowness?: (nowMs: number) => number;
  /** A request is given up so long after it came. */
  readonly timeoutMs: number;
  /** Of service times, of fan-out and of balancing: each its own, so that a change of one leaves the others alone. */
  readonly random: { readonly service: () => number; readonly rows: () => number; readonly balance: () => number };
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
  readonly isRetry: boolean;
}

/**
 * How requests go through the stages, by the rules of the gateway (`gateway/run-stage.ts`): a request's rows go in calls to replicas, of two
 * that are drawn to the one with less work; a stage starts when those that it depends on are done; what a replica refuses is tried once more.
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
  readonly #overheadMs: number;
  readonly #isRandom: boolean;
  /** Between the time at which a request is late and the time at which it is given up. */
  readonly #lateMs: number;
  /** By stage, of the request that is answered just now. */
  readonly #places: Int16Array;

  constructor(options: SimGatewayOptions) {
    const { pipeline } = options;
    this.#options = options;
    this.#stages = pipeline.stages.map(stage => plannedStage(pipeline, stage));
    this.#waitsFor = pipeline.stages.map(stage => stage.dependsOn.length);
    this.#entries = this.#waitsFor.flatMap((count, s) => (count === 0 ? [s] : []));
    this.requests = new RequestTable(pipeline.stages.length);
    this.batcher = new SimBatcher({
      events: options.events,
      requests: this.requests,
      random: options.random.service,
      findSlowness: options.findSlowness ?? (() => 1),
      onRows: (request, stage, rows, place, isEnd, nowMs) => this.#rowsDone(request, stage, rows, place, isEnd, nowMs),
      onRefused: (call, replica, nowMs) => this.#tryElsewhere(call, replica, nowMs),
      onDrained: options.onDrained,
    });
    this.open = pipeline.stages.map(() => []);
    this.#waiting = pipeline.stages.map(() => []);
    this.#lateMs = Math.max(0, options.timeoutMs - pipeline.slo.latencyMs);
    this.#places = new Int16Array(pipeline.stages.length);
    this.#overheadMs = pipeline.overhead.latencyMs;
    this.#isRandom = pipeline.objective.balancing === "random";
  }

  /** A request comes. */
  offer(nowMs: number): void {
    const { recorder, timeoutMs } = this.#options;
    recorder.countOffered(nowMs);
    const request = this.requests.open(nowMs, nowMs + timeoutMs - this.#overheadMs, this.#waitsFor);
    for (const s of this.#entries) if (this.requests.failed[request] === 0) this.#start(request, s, nowMs);
  }

  /** A replica gets new work from now on. */
  join(replica: SimReplica, nowMs: number): void {
    this.open[replica.stage]?.push(replica);
    const waiting = this.#waiting[replica.stage]?.splice(0) ?? [];
    for (const { request, rows, isRetry } of waiting) {
      if (this.requests.failed[request] === 0) this.#send(request, replica.stage, rows, nowMs, null, isRetry);
      this.requests.leave(request);
    }
  }

  /** A replica gets no new work. */
  withdraw(replica: SimReplica): void {
    const open = this.open[replica.stage] ?? [];
    const at = open.indexOf(replica);
    if (at >= 0) open.splice(at, 1);
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
        this.#fail(entry.request, "dropped", nowMs);
        this.requests.leave(entry.request);
      }
      this.#waiting[s] = kept;
    }
  }

  /** The replica is gone at once: what it had goes to another one, as the gateway tries once more; what had done so before is lost. */
  kill(replica: SimReplica, nowMs: number): void {
    this.withdraw(replica);
    for (const { call, rows } of this.batcher.empty(replica)) {
      const { request, isRetry } = call;
      if (this.requests.failed[request] === 0) {
        if (isRetry) this.#fail(request, "lost", nowMs);
        else this.#send(request, replica.stage, rows, nowMs, null, true);
      }
      this.requests.leave(request);
    }
  }

  /** A replica has sent a call back: one other gets it, where there is one and the deadline has not passed. */
  #tryElsewhere({ request, rows, isRetry }: SimCall, by: SimReplica, nowMs: number): void {
    const { requests } = this;
    const isOver = (requests.deadlineMs[request] as number) <= nowMs;
    if (!isOver) this.#options.recorder.countRefused(nowMs);
    if (requests.failed[request] === 0) {
      const isOnly = !this.open[by.stage]?.some(other => other !== by);
      if (isRetry || isOnly || isOver) this.#fail(request, "dropped", nowMs);
      else this.#send(request, by.stage, rows, nowMs, by, true);
    }
    requests.leave(request);
  }

  #rowsDone(request: number, s: number, rows: number, place: number, isEnd: boolean, nowMs: number): void {
    const { requests } = this;
    const { variants } = (this.#stages[s] as PlannedStage).stage;
    this.#options.recorder.countServed(s, variants[place]?.name ?? "", rows, nowMs);
    if (requests.failed[request] === 0) {
      requests.serve(request, s, place, rows, variants.length);
      if (requests.rowsLeft[request * this.#stages.length + s] === 0) this.#finish(request, s, nowMs);
    }
    if (isEnd) requests.leave(request);
  }

  #start(request: number, s: number, nowMs: number): void {
    const { requests } = this;
    const from = request * this.#stages.length;
    const mean = this.#meanRows(request, this.#stages[s] as PlannedStage);
    const whole = Math.floor(mean);
    const rows = mean === whole ? whole : whole + (this.#options.random.rows() < mean - whole ? 1 : 0);
    requests.rows[from + s] = rows;
    requests.rowsLeft[from + s] = rows;
    if (rows === 0) this.#finish(request, s, nowMs);
    else this.#send(request, s, rows, nowMs, null, false);
  }

  /** Rows of a stage that follow on average from those of the stage before it. */
  #meanRows(request: number, { upstream, fanOut }: PlannedStage): number {
    const { requests } = this;
    const unknown = fanOut[fanOut.length - 1] as number;
    if (upstream < 0) return unknown;
    const at = request * this.#stages.length + upstream;
    const variant = requests.variant[at] as number;
    if (variant !== MIXED) return (requests.rows[at] as number) * (variant < 0 ? unknown : (fanOut[variant] as number));
    return requests.mix(request, upstream).reduce((sum, rows, place) => sum + rows * (fanOut[place] as number), 0);
  }

  /** Sends rows to replicas, to none that is `avoided` where there is another one. */
  #send(request: number, s: number, rows: number, nowMs: number, avoided: SimReplica | null, isRetry: boolean): void {
    const { requests } = this;
    const open = this.open[s] as SimReplica[];
    if (open.length === 0) {
      requests.calls[request] = (requests.calls[request] as number) + 1;
      this.#waiting[s]?.push({ request, rows, isRetry });
    } else if (rows === 1 || open.length === 1 || isRetry) {
      this.#call(this.#pick(open, avoided), request, rows, nowMs, isRetry);
    } else {
      for (const call of splitRows(rows, open, this.#options.random.balance))
        if (requests.failed[request] === 0)
          this.#call(this.#isRandom ? this.#pick(open, null) : call.replica, request, call.rows, nowMs, isRetry);
    }
  }

  #call(replica: SimReplica, request: number, rows: number, nowMs: number, isRetry: boolean): void {
    const { requests } = this;
    requests.calls[request] = (requests.calls[request] as number) + 1;
    const leftMs = (requests.deadlineMs[request] as number) - nowMs;
    const times = { arrivedMs: nowMs, leftMs, sloLeftMs: leftMs - this.#lateMs };
    const { softMs, hardMs } = findDeadlines(times, replica.budgets);
    const call = { request, rows, shape: "", softMs, hardMs, variant: null, addedMs: nowMs, isRetry };
    this.batcher.add(replica, call, nowMs);
  }

  #pick(open: readonly SimReplica[], avoided: SimReplica | null): SimReplica {
    const others = avoided === null || open.length === 1 ? open : open.filter(replica => replica !== avoided);
    const { balance } = this.#options.random;
    if (this.#isRandom) return others[Math.floor(balance() * others.length)] as SimReplica;
    return chooseOfTwo(others, balance) as SimReplica;
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
    const { recorder } = this.#options;
    const arrivedMs = requests.arrivedMs[request] as number;
    // The gateway has answered at the deadline that it was too late.
    if (nowMs > (requests.deadlineMs[request] as number)) recorder.countFailed(arrivedMs, "dropped", nowMs);
    else recorder.countAnswered(arrivedMs, nowMs - arrivedMs + this.#overheadMs, this.#accuracy(request, nowMs));
    requests.end(request);
  }

  #fail(request: number, outcome: "dropped" | "lost", nowMs: number): void {
    const { requests } = this;
    if (requests.failed[request] === 1) return;
    requests.failed[request] = 1;
    this.#options.recorder.countFailed(requests.arrivedMs[request] as number, outcome, nowMs);
    requests.end(request);
  }

  #accuracy(request: number, nowMs: number): number {
    const from = request * this.#stages.length;
    let combination = 0;
    for (let s = 0; s < this.#stages.length; s++) {
      const variant = this.requests.variant[from + s] as number;
      if (variant === MIXED) return this.#accuracyFrom(request, 0, 0, 1, nowMs);
      this.#places[s] = variant;
      combination = combination * ((this.#stages[s] as PlannedStage).stage.variants.length + 1) + variant + 1;
    }
    return this.#options.answers.answer(combination, () => this.#variantNames(), nowMs);
  }

  /** Accuracy times `share` from stage `s` on, where those before it are known: the mean over the rows' combinations of variants. */
  #accuracyFrom(request: number, s: number, before: number, share: number, nowMs: number): number {
    if (s === this.#stages.length)
      return share * this.#options.answers.answer(before, () => this.#variantNames(), nowMs, share);
    const { length } = (this.#stages[s] as PlannedStage).stage.variants;
    const through = (place: number, part: number): number => {
      this.#places[s] = place;
      return this.#accuracyFrom(request, s + 1, before * (length + 1) + place + 1, part, nowMs);
    };
    const at = request * this.#stages.length + s;
    const variant = this.requests.variant[at] as number;
    if (variant !== MIXED) return through(variant, share);
    const all = this.requests.rows[at] as number;
    return this.requests
      .mix(request, s)
      .reduce((sum, rows, place) => (rows === 0 ? sum : sum + through(place, (share * rows) / all)), 0);
  }

  #variantNames(): readonly string[] {
    return this.#stages.map(({ stage }, s) => {
      const place = this.#places[s] as number;
      return place === NO_VARIANT ? stage.defaultVariant : (stage.variants[place]?.name ?? "");
    });
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
