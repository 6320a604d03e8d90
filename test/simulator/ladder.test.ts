import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Pipeline } from "../../domain/pipeline.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { EVENT, EventQueue } from "../../simulator/event-queue.ts";
import { Recorder } from "../../simulator/recorder.ts";
import { type ServiceTable, serviceTables } from "../../simulator/service-table.ts";
import { SimAnswers } from "../../simulator/sim-answers.ts";
import { SimGateway } from "../../simulator/sim-gateway.ts";
import { SimReplica } from "../../simulator/sim-replica.ts";
import { simulate } from "../../simulator/simulation.ts";
import { type PipelineShape, pipelineOf } from "../optimizer/problems.ts";
import { poissonLoad, scenario } from "./scenario.ts";

const VARIANTS = [
  { name: "light", accuracy: 0.7, latencyMs: { 1: 5, 8: 40 } },
  { name: "middle", accuracy: 0.8, latencyMs: { 1: 15, 8: 120 } },
  { name: "heavy", accuracy: 0.9, latencyMs: { 1: 40, 8: 320 } },
];
const SLO_MS = 300;
const REPLICAS = 2;
const STEP_SECOND = 60;

function stageWith(variants: readonly (typeof VARIANTS)[number][], serving?: PipelineShape["serving"]): Pipeline {
  const replicas = { min: REPLICAS, max: REPLICAS };
  return pipelineOf({ sloMs: SLO_MS, stages: [{ name: "s", variants, replicas }], ...(serving && { serving }) });
}

/** Outcomes and rows by variant, before and after a step at 60 s from what the heaviest variant holds to so many requests a second. */
function step(pipeline: Pipeline, toRps: number) {
  const load = poissonLoad(100, second => (second < STEP_SECOND ? 10 : toRps));
  const { windows } = simulate(scenario(pipeline, load, { warmUpSeconds: 10 }));
  const sum = (isAfter: boolean) => {
    const own = windows.filter(({ fromSecond }) => fromSecond + 10 >= STEP_SECOND === isAfter);
    const rows = (variant: string) => own.reduce((all, window) => all + (window.rows[0]?.get(variant) ?? 0), 0);
    return {
      missed: own.reduce((all, { late, dropped, lost }) => all + late + dropped + lost, 0),
      offered: own.reduce((all, { offered }) => all + offered, 0),
      rows: { light: rows("light"), middle: rows("middle"), heavy: rows("heavy") },
    };
  };
  return { before: sum(false), after: sum(true) };
}

describe("simulated ladder", function () {
  this.timeout(120_000);
  /** Four fifths of what the lightest holds. */
  const mostRps = (0.8 * REPLICAS * 1000) / 5;

  it("serves a step in load by lighter rungs, and misses nothing that the lightest would not miss", () => {
    const ladder = step(stageWith(VARIANTS), mostRps);
    assert.equal(ladder.before.missed, 0);
    assert.ok(ladder.before.rows.heavy > 0.9 * ladder.before.offered, `${ladder.before.rows.heavy}`);
    assert.ok(ladder.after.rows.light > 0.5 * ladder.after.offered, `${ladder.after.rows.light}`);
    const lightest = step(stageWith(VARIANTS.slice(0, 1)), mostRps);
    assert.ok(ladder.after.missed <= lightest.after.missed, `${ladder.after.missed}, ${lightest.after.missed}`);
  });

  it("serves by the planned variant alone where the rule is fixed", () => {
    const fixed = step(stageWith(VARIANTS.slice(1), { rule: "fixed" }), 100);
    const ladder = step(stageWith(VARIANTS.slice(1)), 100);
    assert.ok(ladder.after.missed < fixed.after.missed, `${ladder.after.missed}, ${fixed.after.missed}`);
  });

  it("drops requests rather than to serve them below the floor that the pipeline file names", () => {
    const { before, after } = step(stageWith(VARIANTS, { floor: { s: "middle" } }), mostRps);
    assert.equal(before.rows.light + after.rows.light, 0);
    assert.ok(after.rows.middle > 0);
    assert.ok(after.missed > 0.3 * after.offered, `${after.missed}`);
  });
});

/** A gateway before replicas that serve the variants at these places, whose requests all come at once. */
function createGateway(pipeline: Pipeline, stage: number, rungs: readonly (readonly number[])[], timeoutMs = SLO_MS) {
  const events = new EventQueue();
  const stages = pipeline.stages.length;
  const recorder = new Recorder({ fromMs: 0, toMs: 1e9, windowMs: 1e9, sloMs: SLO_MS, stages });
  const gateway = new SimGateway({
    pipeline,
    events,
    recorder,
    answers: new SimAnswers(pipeline, null, 0, seededRandom(1)),
    timeoutMs,
    random: { service: seededRandom(2), rows: seededRandom(3), balance: seededRandom(4) },
    onDrained: () => undefined,
  });
  const replicas = pipeline.stages.flatMap((own, s) => {
    const tables = serviceTables(own, "stage");
    return (s === stage ? rungs : [[0]]).map((places, i) => {
      const replica = new SimReplica(10 * s + i, s, `${s}-${i}`, 0);
      replica.serve(
        places.map(place => ({ table: tables[place] as ServiceTable, maxBatch: 8 })),
        [],
      );
      replica.phase = "ready";
      gateway.join(replica, 0);
      return replica;
    });
  });
  const work = (): void => {
    while (events.next()) {
      const replica = replicas.find(({ id }) => id === events.id);
      if (events.kind === EVENT.batchDone && replica) gateway.batcher.batchDone(replica, events.atMs);
    }
  };
  const window = recorder.windows[0] as (typeof recorder.windows)[number];
  return { gateway, replicas, window, work };
}

describe("simulated gateway", () => {
  it("counts a request whose rows several variants served by their shares", () => {
    const stage = (name: string, fanOut: number) => ({ name, variants: VARIANTS, fanOut });
    const pipeline = pipelineOf({ sloMs: 1000, stages: [stage("a", 1), stage("b", 4), stage("c", 1)] });
    // Two replicas that seem to be as fast as each other share four rows; all others are served by the light variant.
    const { gateway, replicas, window, work } = createGateway(pipeline, 1, [[0], [2]], 1000);
    for (const replica of replicas) replica.rowMs = 5;
    gateway.offer(0);
    work();
    const rows = Object.fromEntries(window.rows[1] ?? []);
    assert.ok((rows["light"] ?? 0) > 0 && (rows["heavy"] ?? 0) > 0, JSON.stringify(rows));
    const inB = ((rows["light"] ?? 0) * 0.7 + (rows["heavy"] ?? 0) * 0.9) / 4;
    assert.ok(Math.abs(window.accuracySum - 0.7 * inB * 0.7) < 1e-9, `${window.accuracySum}`);
    assert.equal(gateway.requests.live, 0);
  });

  it("tries what a replica refuses once elsewhere, and drops what two refuse", () => {
    const pipeline = stageWith(VARIANTS);
    const { gateway, replicas, window, work } = createGateway(pipeline, 0, [[0], [0]]);
    const calls = 2 * (SLO_MS / 5) + 20;
    for (let i = 0; i < calls; i++) gateway.offer(0);
    assert.ok(window.dropped > 0);
    assert.ok(window.refused > window.dropped, `${window.refused} were refused, ${window.dropped} dropped`);
    work();
    assert.equal(window.inTime + window.late + window.dropped, calls);
    assert.ok(replicas.every(({ outstandingRows, waiting }) => outstandingRows === 0 && waiting.rows === 0));
    assert.equal(gateway.requests.live, 0);
  });

  it("drops what the only replica refuses", () => {
    const { gateway, window, work } = createGateway(stageWith(VARIANTS), 0, [[0]]);
    for (let i = 0; i < 100; i++) gateway.offer(0);
    work();
    assert.equal(window.refused, window.dropped);
    assert.ok(window.dropped > 30 && window.dropped < 60, `${window.dropped}`);
  });

  it("runs nothing of a request whose deadline passed while the replica stood still", () => {
    const { gateway, replicas, window } = createGateway(stageWith(VARIANTS), 0, [[0]]);
    for (const atMs of [0, 1]) gateway.offer(atMs);
    const [replica] = replicas;
    assert.ok(replica);
    gateway.batcher.batchDone(replica, SLO_MS + 50);
    assert.equal(replica.running, null);
    assert.deepEqual([window.dropped, window.refused, window.rows[0]?.get("light")], [2, 0, 1]);
    assert.deepEqual([replica.outstandingRows, gateway.requests.live], [0, 0]);
  });
});
