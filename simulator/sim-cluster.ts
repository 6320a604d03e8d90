import type { PipelineBoard, StageBoard } from "../control/board.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { EVENT, type EventQueue } from "./event-queue.ts";
import type { Recorder } from "./recorder.ts";
import { SimReplica } from "./sim-replica.ts";

/** The cluster that replicas run in, and how KEDA and its HPAs set their number. */
export interface ClusterOptions {
  /** Between two looks of the HPA; 15,000 in Kubernetes. */
  readonly syncMs: number;
  /** Of the HPA, both ways. */
  readonly tolerance: number;
  /** From scheduling a pod to its process asking what to serve. */
  readonly podStartMs: number;
  /** KEDA goes to zero when a pipeline was inactive for so long. */
  readonly cooldownMs: number;
  /** Null: there is always room. */
  readonly nodes: { readonly count: number; readonly cores: number } | null;
}

export interface SimClusterOptions extends ClusterOptions {
  readonly pipeline: Pipeline;
  readonly events: EventQueue;
  readonly recorder: Recorder;
  /** What a new replica of a stage asks its node for. */
  readonly coresOf: (stage: number) => number;
  readonly onStopping: (replica: SimReplica, nowMs: number) => void;
}

interface Deployment {
  desired: number;
  created: number;
  replicas: SimReplica[];
  inactiveSinceMs: number | null;
}

/** Deployments, their HPAs and the nodes: counts follow the board as KEDA 2.21 and `autoscaling/v2` make them follow. */
export class SimCluster {
  readonly replicas: SimReplica[] = [];
  readonly #options: SimClusterOptions;
  readonly #deployments: readonly Deployment[];
  readonly #freeCores: number[];
  readonly #lostNodes: number[] = [];
  #board: PipelineBoard | null = null;
  #heldCores = 0;
  #heldSinceMs = 0;

  constructor(options: SimClusterOptions) {
    this.#options = options;
    const { nodes, pipeline } = options;
    this.#freeCores = nodes ? new Array<number>(nodes.count).fill(nodes.cores) : [];
    this.#deployments = pipeline.stages.map(() => ({ desired: 0, created: 0, replicas: [], inactiveSinceMs: null }));
  }

  /** Replicas of a stage that are not gone. */
  of(stage: number): readonly SimReplica[] {
    return this.#deployments[stage]?.replicas ?? [];
  }

  desired(stage: number): number {
    return this.#deployments[stage]?.desired ?? 0;
  }

  /** What KEDA is told from now on; going active is pushed and acted upon at once. */
  publish(board: PipelineBoard, nowMs: number): void {
    this.#board = board;
    for (const [s, stage] of board.stages.entries())
      if (stage.active && board.plan && this.desired(s) === 0) this.scale(s, 1, nowMs);
  }

  /** One look of the HPA of a stage; `isHeld`: it gets no metric, or its wish is not followed. */
  autoscale(s: number, nowMs: number, isHeld = false): void {
    const { syncMs, events } = this.#options;
    events.add(nowMs + syncMs, EVENT.autoscale, s);
    if (isHeld) return;
    const stage = this.#board?.plan ? this.#board.stages[s] : undefined;
    if (stage) this.scale(s, this.#countFor(s, stage, nowMs), nowMs);
  }

  #countFor(s: number, stage: StageBoard, nowMs: number): number {
    const { pipeline, tolerance, cooldownMs } = this.#options;
    const deployment = this.#deployments[s] as Deployment;
    const { min, max } = pipeline.stages[s]?.replicas ?? { min: 1, max: 1 };
    const { desired } = deployment;
    if (stage.active) deployment.inactiveSinceMs = null;
    else deployment.inactiveSinceMs ??= nowMs;
    const { inactiveSinceMs } = deployment;
    if (min === 0 && inactiveSinceMs !== null && nowMs - inactiveSinceMs >= cooldownMs) return 0;
    if (desired === 0) return 0;
    // AverageValue with target 1: usage over target is the value over the count.
    if (Math.abs(stage.metricValue / desired - 1) <= tolerance) return desired;
    return Math.min(max, Math.max(min, 1, stage.metricValue));
  }

  /** Makes or takes away replicas: those that serve nothing yet go first, then the newest. */
  scale(s: number, count: number, nowMs: number): void {
    const deployment = this.#deployments[s] as Deployment;
    deployment.desired = count;
    let live = deployment.replicas.filter(({ phase }) => phase !== "draining");
    while (live.length < count) {
      deployment.created += 1;
      const name = this.#options.pipeline.stages[s]?.name ?? "";
      const replica = new SimReplica(this.replicas.length, s, `${name}-${deployment.created}`, nowMs);
      this.replicas.push(replica);
      deployment.replicas.push(replica);
      live.push(replica);
      this.#place(replica, nowMs);
    }
    if (live.length === count) return;
    live = live.toSorted((a, b) => rank(a) - rank(b) || b.id - a.id);
    for (const replica of live.slice(0, live.length - count)) this.#stop(replica, nowMs);
  }

  /** Another one takes its place. */
  kill(replica: SimReplica, nowMs: number): void {
    this.remove(replica, nowMs);
    this.scale(replica.stage, this.desired(replica.stage), nowMs);
  }

  /** The first node that runs pods takes no more: its pods, which are to be killed. Nothing is lost where nodes have no bounds. */
  loseNode(): readonly SimReplica[] {
    const live = this.#deployments.flatMap(({ replicas }) => replicas).filter(({ node }) => node >= 0);
    const lost = Math.min(...live.map(({ node }) => node));
    if (!Number.isFinite(lost)) return [];
    this.#lostNodes.push(lost);
    return live.filter(({ node }) => node === lost);
  }

  /** The node that was lost first is there again. */
  returnNode(nowMs: number): void {
    this.#lostNodes.shift();
    this.#placePending(nowMs);
  }

  /** Its process has ended, and its node has its cores back. */
  remove(replica: SimReplica, nowMs: number): void {
    replica.phase = "gone";
    const deployment = this.#deployments[replica.stage] as Deployment;
    deployment.replicas = deployment.replicas.filter(other => other !== replica);
    this.resize(replica, 0, nowMs);
    this.#placePending(nowMs);
  }

  /** The replica takes so many cores from now on. */
  resize(replica: SimReplica, cores: number, nowMs: number): void {
    this.account(nowMs);
    this.#heldCores += cores - replica.cores;
    const free = this.#freeCores[replica.node];
    if (free !== undefined) this.#freeCores[replica.node] = free + replica.cores - cores;
    replica.cores = cores;
  }

  /** Counts what was held so far. */
  account(nowMs: number): void {
    this.#options.recorder.countHeld(this.#heldCores, this.#heldSinceMs, nowMs);
    this.#heldSinceMs = nowMs;
  }

  #placePending(nowMs: number): void {
    if (!this.#options.nodes) return;
    for (const { replicas } of this.#deployments)
      for (const pending of replicas.filter(({ phase }) => phase === "pending")) this.#place(pending, nowMs);
  }

  #place(replica: SimReplica, nowMs: number): void {
    const { nodes, coresOf, podStartMs, events } = this.#options;
    const cores = coresOf(replica.stage);
    if (nodes) {
      replica.node = this.#freeCores.findIndex((free, n) => free >= cores - 1e-9 && !this.#lostNodes.includes(n));
      if (replica.node < 0) return;
    }
    replica.phase = "starting";
    this.resize(replica, cores, nowMs);
    events.add(nowMs + podStartMs, EVENT.podStarted, replica.id);
  }

  #stop(replica: SimReplica, nowMs: number): void {
    if (replica.phase === "ready") {
      replica.phase = "draining";
      this.#options.onStopping(replica, nowMs);
    } else this.remove(replica, nowMs);
  }
}

function rank({ phase }: SimReplica): number {
  return phase === "pending" ? 0 : phase === "starting" ? 1 : 2;
}
