import type { PipelineBoard } from "../control/board.ts";
import type { Tuning } from "../control/tuning.ts";
import type { LoadSample } from "../domain/load.ts";
import { partSeed, seededRandom } from "../load/seeded-random.ts";
import { ArrivalSource } from "./arrival-source.ts";
import { EVENT, EventQueue } from "./event-queue.ts";
import { Faults, SLOWER } from "./faults.ts";
import { addFirstEvents, CHECK_MS } from "./first-events.ts";
import { openControl } from "./open-control.ts";
import { Recorder } from "./recorder.ts";
import { type ServiceTable, serviceTables } from "./service-table.ts";
import { SimAnswers } from "./sim-answers.ts";
import { SimCluster } from "./sim-cluster.ts";
import type { SimControl } from "./sim-control.ts";
import { SimGateway } from "./sim-gateway.ts";
import type { SimReplica } from "./sim-replica.ts";
import { SimSwitcher } from "./sim-switcher.ts";
import type { SimulationOptions, SimulationRun, WindowState } from "./simulation-run.ts";
import { windowState } from "./window-state.ts";

const TICK_MS = 1000;

/** One pipeline under one load, event by event: the scaler's control loop, KEDA and the HPA, pods, switchers, gateway, requests. */
export function simulate(options: SimulationOptions): SimulationRun {
  const simulation = new Simulation(options);
  while (simulation.advance());
  return simulation.result();
}

/** One run that can be looked at, and tuned, between two ticks of its control loop. */
export class Simulation {
  readonly #options: SimulationOptions;
  readonly #events = new EventQueue();
  readonly #tables: readonly (readonly (ServiceTable | null)[])[];
  readonly #recorder: Recorder;
  readonly #arrivals: ArrivalSource;
  readonly #gateway: SimGateway;
  readonly #cluster: SimCluster;
  readonly #control: SimControl;
  readonly #switchers = new Map<number, SimSwitcher>();
  readonly #durationMs: number;
  readonly #states: WindowState[] = [];
  readonly #tickMs: number[] = [];
  readonly #random: () => number;
  readonly #faults: Faults;
  readonly #answers: SimAnswers;
  #board: PipelineBoard | null = null;
  #worked = 0;
  #shownMs = 0;

  constructor(options: SimulationOptions) {
    const { pipeline, load, cluster, seed } = options;
    const { podShape } = pipeline.objective;
    this.#options = options;
    this.#durationMs = load.ratesRps.length * 1000;
    this.#tables = pipeline.stages.map(stage => serviceTables(stage, podShape));
    const random = (part: number): (() => number) => seededRandom(partSeed(seed, part));
    this.#recorder = new Recorder({
      fromMs: options.warmUpSeconds * 1000,
      toMs: this.#durationMs,
      windowMs: options.windowSeconds * 1000,
      sloMs: pipeline.slo.latencyMs,
      stages: pipeline.stages.length,
    });
    this.#arrivals = new ArrivalSource(load, random(0));
    this.#random = random(4);
    this.#faults = new Faults(options.faults ?? [], options.warmUpSeconds);
    const drift = options.drift ?? null;
    const driftsAtMs = (options.warmUpSeconds + (drift?.fromSecond ?? 0)) * 1000;
    this.#answers = new SimAnswers(pipeline, drift, driftsAtMs, random(5));
    this.#gateway = new SimGateway({
      pipeline,
      events: this.#events,
      recorder: this.#recorder,
      answers: this.#answers,
      findSlowness: nowMs => (this.#faults.has("slowMachine", nowMs) ? SLOWER : 1),
      timeoutMs: options.timeoutMs ?? pipeline.slo.latencyMs,
      random: { service: random(1), rows: random(2), balance: random(3) },
      onDrained: (replica, nowMs) => this.#gone(replica, nowMs),
    });
    this.#cluster = new SimCluster({
      ...cluster,
      pipeline,
      events: this.#events,
      recorder: this.#recorder,
      coresOf: s => this.#coresOfNew(s),
      onStopping: (replica, nowMs) => {
        this.#gateway.withdraw(replica);
        this.#gateway.batcher.pump(replica, nowMs);
      },
    });
    this.#control = openControl(options);
    for (const [s, { replicas }] of pipeline.stages.entries()) this.#cluster.scale(s, Math.max(1, replicas.min), 0);
    addFirstEvents(this.#events, options, this.#arrivals.nextMs, this.#faults.nodeLosses);
  }

  /** As of the last tick; null before the first. */
  get board(): PipelineBoard | null {
    return this.#board;
  }

  /** What the control loop is tuned to from its next tick on. */
  tune(tuning: Tuning): void {
    this.#control.tuning = tuning;
  }

  /** Works until the next tick is done. False: the run is over. */
  advance(): boolean {
    const { onProgress } = this.#options;
    while (this.#events.next()) {
      const { atMs, kind, id } = this.#events;
      if (atMs >= this.#durationMs && this.#gateway.requests.live === 0) return false;
      this.#worked += 1;
      this.#work(atMs, kind, id);
      if (kind !== EVENT.tick) continue;
      if (atMs >= this.#shownMs) {
        onProgress?.(Math.min(1, atMs / this.#durationMs));
        this.#shownMs = atMs + this.#durationMs / 100;
      }
      return true;
    }
    return false;
  }

  /** Of a run that is over. */
  result(): SimulationRun {
    this.#cluster.account(this.#durationMs);
    return {
      windows: this.#recorder.windows.map((window, i) => ({ ...window, ...(this.#states[i] ?? this.#state()) })),
      seconds: Math.max(0, this.#durationMs / 1000 - this.#options.warmUpSeconds),
      ...this.#control.counts,
      events: this.#worked,
      podsStarted: this.#cluster.replicas.length,
      tickMs: this.#tickMs,
    };
  }

  #work(nowMs: number, kind: number, id: number): void {
    switch (kind) {
      case EVENT.arrival:
        this.#gateway.offer(nowMs);
        this.#arrivals.advance();
        if (Number.isFinite(this.#arrivals.nextMs)) this.#events.add(this.#arrivals.nextMs, EVENT.arrival, 0);
        break;
      case EVENT.batchDone:
        this.#batchDone(id, nowMs);
        break;
      case EVENT.podStarted:
        this.#podStarted(id, nowMs);
        break;
      case EVENT.loaded:
        this.#switchers.get(id)?.loaded(nowMs);
        break;
      case EVENT.autoscale:
        this.#autoscale(id, nowMs);
        break;
      case EVENT.tick:
        this.#tick(nowMs);
        break;
      case EVENT.podKilled:
        this.#killAny(nowMs);
        break;
      case EVENT.nodeLost:
        this.#loseNode(nowMs);
        break;
      case EVENT.nodeBack:
        this.#cluster.returnNode(nowMs);
        break;
      default:
        this.#check(nowMs);
    }
  }

  #batchDone(id: number, nowMs: number): void {
    const replica = this.#cluster.replicas[id];
    if (replica && replica.phase !== "gone") this.#gateway.batcher.batchDone(replica, nowMs);
  }

  /** Without its scaler KEDA gets no metric, and the HPA leaves the count as it is. */
  #autoscale(stage: number, nowMs: number): void {
    const isHeld = this.#faults.has("hpaStuck", nowMs) || this.#faults.has("scalerDown", nowMs);
    this.#cluster.autoscale(stage, nowMs, isHeld);
  }

  #killAny(nowMs: number): void {
    const ready = this.#cluster.replicas.filter(({ phase }) => phase === "ready");
    const replica = ready[Math.floor(this.#random() * ready.length)];
    if (replica) this.#kill(replica, nowMs);
    const { killEveryMs } = this.#options;
    if (killEveryMs !== null) this.#events.add(nowMs + killEveryMs, EVENT.podKilled, 0);
  }

  #loseNode(nowMs: number): void {
    const lost = this.#cluster.loseNode();
    for (const replica of lost) this.#gateway.withdraw(replica);
    for (const replica of lost) this.#kill(replica, nowMs);
  }

  #kill(replica: SimReplica, nowMs: number): void {
    this.#switchers.delete(replica.id);
    this.#gateway.kill(replica, nowMs);
    this.#cluster.kill(replica, nowMs);
  }

  #podStarted(id: number, nowMs: number): void {
    const replica = this.#cluster.replicas[id];
    if (replica?.phase !== "starting") return;
    const { pipeline, cluster } = this.#options;
    const stage = pipeline.stages[replica.stage];
    if (!stage) return;
    const switcher = new SimSwitcher({
      replica,
      stage,
      tables: this.#tables[replica.stage] ?? [],
      onLoading: (loading, delayMs) => this.#events.add(this.#nowMs() + delayMs, EVENT.loaded, loading.id),
      onServing: (serving, isOther) => this.#serving(serving, isOther),
      podStartMs: pipeline.objective.podShape === "variant" ? cluster.podStartMs : null,
    });
    this.#switchers.set(replica.id, switcher);
    switcher.start(this.#board?.stages[replica.stage]?.newcomer ?? null, nowMs);
  }

  #nowMs(): number {
    return this.#events.atMs;
  }

  /** The rungs that may serve at a replica have changed. @param isOther its most accurate variant has. */
  #serving(replica: SimReplica, isOther: boolean): void {
    const nowMs = this.#nowMs();
    const isFirst = replica.phase === "starting";
    if (isOther) {
      const cores = replica.top?.table.cores ?? replica.cores;
      if (cores !== replica.cores) this.#cluster.resize(replica, cores, nowMs);
      if (!isFirst) this.#recorder.countSwitched(nowMs);
    }
    if (isFirst) {
      replica.phase = "ready";
      this.#gateway.join(replica, nowMs);
    }
    this.#gateway.batcher.pump(replica, nowMs);
  }

  #gone(replica: SimReplica, nowMs: number): void {
    this.#switchers.delete(replica.id);
    this.#cluster.remove(replica, nowMs);
  }

  /** A new replica starts with what newcomers are to serve. */
  #coresOfNew(s: number): number {
    const stage = this.#options.pipeline.stages[s];
    const name = this.#board?.stages[s]?.newcomer?.top ?? stage?.defaultVariant;
    const variant = stage?.variants.findIndex(other => other.name === name) ?? 0;
    return this.#tables[s]?.[variant]?.cores ?? stage?.cores ?? 1;
  }

  #check(nowMs: number): void {
    this.#gateway.dropExpired(nowMs);
    this.#events.add(nowMs + CHECK_MS, EVENT.selfCheck, 0);
  }

  #tick(nowMs: number): void {
    if (!this.#faults.has("scalerDown", nowMs)) this.#decide(nowMs);
    const { warmUpSeconds, windowSeconds } = this.#options;
    const counted = nowMs / 1000 - warmUpSeconds;
    if (counted > 0 && counted % windowSeconds === 0) this.#states.push(this.#state());
    this.#events.add(nowMs + TICK_MS, EVENT.tick, 0);
  }

  #decide(nowMs: number): void {
    const { clockMs, pipeline, load } = this.#options;
    const wallMs = load.startMs + nowMs;
    const views = [...this.#switchers.values()].map(switcher => switcher.view(nowMs));
    const desired = pipeline.stages.map((_stage, s) => this.#cluster.desired(s));
    const startedMs = clockMs?.();
    const known = { sample: this.#sampleAt(nowMs), switchers: views, ...this.#answers.take(nowMs) };
    const lastMinute = this.#recorder.answers.report(nowMs);
    const board = this.#control.tick({ ...known, lastMinute }, desired, wallMs);
    if (startedMs !== undefined && clockMs) this.#tickMs.push(clockMs() - startedMs);
    this.#board = board;
    this.#cluster.publish(board, nowMs);
    for (const switcher of this.#switchers.values()) {
      const stage = board.stages[switcher.replica.stage];
      const assignment = stage?.assignments.get(switcher.replica.pod) ?? stage?.newcomer;
      if (assignment) switcher.assign(assignment, nowMs);
    }
  }

  /** The rate of the second that is over; null: it is not known, or there was none. */
  #sampleAt(nowMs: number): LoadSample | null {
    const { load } = this.#options;
    const second = Math.round(nowMs / 1000) - 1;
    const rate = load.ratesRps[second];
    if (rate === undefined || Number.isNaN(rate) || this.#faults.has("monitoringSilent", nowMs)) return null;
    return { atMs: load.startMs + nowMs, rateRps: this.#arrivals.counts[second] ?? 0 };
  }

  #state(): WindowState {
    return windowState(this.#options.pipeline, this.#board, this.#cluster);
  }
}
