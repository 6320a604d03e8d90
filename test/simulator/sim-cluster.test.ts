import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { PipelineBoard } from "../../control/board.ts";
import { EVENT, EventQueue } from "../../simulator/event-queue.ts";
import { Recorder } from "../../simulator/recorder.ts";
import { type ClusterOptions, SimCluster } from "../../simulator/sim-cluster.ts";
import { pipelineOf } from "../optimizer/problems.ts";
import { PROMPT } from "./scenario.ts";

const PIPELINE = pipelineOf({
  stages: [
    { name: "a", variants: [{ name: "v", latencyMs: { 1: 10 } }], replicas: { min: 0, max: 30 } },
    { name: "b", variants: [{ name: "v", latencyMs: { 1: 10 } }], replicas: { min: 2, max: 30 } },
  ],
});

/** A cluster whose boards say these counts. */
function clusterOf(more: Partial<ClusterOptions> = {}) {
  const events = new EventQueue();
  const recorder = new Recorder({ fromMs: 0, toMs: 1e9, windowMs: 1e9, sloMs: 1, stages: 2 });
  const cluster = new SimCluster({
    ...PROMPT,
    ...more,
    pipeline: PIPELINE,
    events,
    recorder,
    coresOf: () => 2,
    onStopping: (replica, nowMs) => cluster.remove(replica, nowMs),
  });
  const settle = (counts: readonly number[], nowMs: number): number[] => {
    const stages = counts.map(metricValue => ({ metricValue, active: metricValue > 0 }));
    cluster.publish({ plan: {}, stages } as unknown as PipelineBoard, nowMs);
    for (const s of counts.keys()) cluster.autoscale(s, nowMs);
    for (const replica of cluster.replicas) if (replica.phase === "starting") replica.phase = "ready";
    return counts.map((_count, s) => cluster.of(s).length);
  };
  return { cluster, events, recorder, settle };
}

describe("simulated cluster", () => {
  it("goes to exactly the counts that KEDA is told, within the bounds", () => {
    const { settle } = clusterOf();
    assert.deepEqual(settle([1, 20], 0), [1, 20]);
    assert.deepEqual(settle([21, 22], 15_000), [21, 22]);
    assert.deepEqual(settle([5, 1], 30_000), [5, 2]);
    assert.deepEqual(settle([99, 99], 45_000), [30, 30]);
  });

  it("leaves small changes undone where the HPA has a tolerance", () => {
    const { settle } = clusterOf({ tolerance: 0.1 });
    assert.deepEqual(settle([20, 20], 0), [20, 20]);
    assert.deepEqual(settle([21, 19], 30_000), [20, 20]);
    assert.deepEqual(settle([23, 17], 45_000), [23, 17]);
  });

  it("goes to zero after the cool-down, and comes back when it is told", () => {
    const { settle } = clusterOf({ cooldownMs: 30_000 });
    assert.deepEqual(settle([3, 2], 0), [3, 2]);
    assert.equal(settle([0, 2], 15_000)[0], 1);
    assert.equal(settle([0, 2], 30_000)[0], 1);
    assert.equal(settle([0, 2], 45_000)[0], 0);
    assert.equal(settle([4, 2], 60_000)[0], 4);
  });

  it("leaves pods pending that no node has room for, and places them when one is gone", () => {
    const { cluster, settle } = clusterOf({ nodes: { count: 2, cores: 5 } });
    settle([6, 0], 0);
    const phases = () => cluster.of(0).map(({ phase }) => phase);
    assert.deepEqual(phases(), ["ready", "ready", "ready", "ready", "pending", "pending"]);
    cluster.kill(cluster.of(0)[0] as (typeof cluster.replicas)[number], 1000);
    assert.deepEqual(phases().toSorted(), ["pending", "pending", "ready", "ready", "ready", "starting"]);
  });

  it("takes away first what serves nothing yet, then the newest", () => {
    const { cluster, settle } = clusterOf();
    settle([3, 0], 0);
    cluster.scale(0, 5, 1000);
    cluster.scale(0, 2, 2000);
    assert.deepEqual(
      cluster.of(0).map(({ pod }) => pod),
      ["a-1", "a-2"],
    );
  });

  it("pays for what pods hold and for nothing else", () => {
    const { cluster, recorder, settle } = clusterOf();
    settle([3, 0], 0);
    settle([1, 0], 10_000);
    cluster.account(20_000);
    assert.equal(recorder.windows[0]?.coreSeconds, 10 * 3 * 2 + 10 * 1 * 2);
  });

  it("looks again after every period", () => {
    const { events, cluster } = clusterOf({ syncMs: 15_000 });
    cluster.autoscale(1, 5000);
    assert.ok(events.next());
    assert.deepEqual([events.atMs, events.kind, events.id], [20_000, EVENT.autoscale, 1]);
  });
});
