import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { seededRandom } from "../../load/seeded-random.ts";
import { EVENT, EventQueue } from "../../simulator/event-queue.ts";
import { Recorder } from "../../simulator/recorder.ts";
import { type ServiceTable, serviceTables } from "../../simulator/service-table.ts";
import { SimAnswers } from "../../simulator/sim-answers.ts";
import { SimGateway } from "../../simulator/sim-gateway.ts";
import { SimReplica } from "../../simulator/sim-replica.ts";
import { pipelineOf } from "../optimizer/problems.ts";

const SERVICE_MS = 10;

interface System {
  readonly scv: number;
  readonly utilisation: number;
  readonly replicas?: number;
  readonly batch?: number;
  readonly requests?: number;
}

/** One stage without deadlines under Poisson arrivals: mean time in the system, and mean number in it, counted apart from each other. */
function measure({ scv, utilisation, replicas = 1, batch = 1, requests = 200_000 }: System) {
  const pipeline = pipelineOf({
    sloMs: 1e6,
    stages: [{ name: "a", variants: [{ name: "v", latencyMs: { [batch]: SERVICE_MS }, scv }] }],
  });
  const random = seededRandom(7);
  const ratePerMs = (utilisation * replicas * batch) / SERVICE_MS;
  const events = new EventQueue();
  const recorder = new Recorder({ fromMs: 0, toMs: 1e12, windowMs: 1e12, sloMs: 1e6, stages: 1 });
  const tables = pipeline.stages.map(stage => serviceTables(stage, "stage"));
  const gateway = new SimGateway({
    pipeline,
    events,
    recorder,
    answers: new SimAnswers(pipeline, null, 0, random),
    timeoutMs: 1e6,
    random: { service: seededRandom(8), rows: seededRandom(9), balance: seededRandom(10) },
    onDrained: () => undefined,
  });
  const pods = Array.from({ length: replicas }, (_, id) => new SimReplica(id, 0, `a-${id}`, 0));
  for (const pod of pods) {
    pod.phase = "ready";
    pod.serve([{ table: tables[0]?.[0] as ServiceTable, maxBatch: batch }], []);
    gateway.join(pod, 0);
  }
  let offered = 0;
  let beforeMs = 0;
  let requestMs = 0;
  const arrive = (nowMs: number): void => events.add(nowMs - Math.log(1 - random()) / ratePerMs, EVENT.arrival, 0);
  arrive(0);
  while (events.next()) {
    requestMs += gateway.requests.live * (events.atMs - beforeMs);
    beforeMs = events.atMs;
    if (events.kind === EVENT.batchDone) gateway.batcher.batchDone(pods[events.id] as SimReplica, events.atMs);
    else {
      gateway.offer(events.atMs);
      offered += 1;
      if (offered < requests) arrive(events.atMs);
    }
  }
  const { latency, inTime } = recorder.windows[0] as (typeof recorder.windows)[number];
  assert.equal(inTime, requests);
  return { meanMs: latency.sumMs / latency.count, meanLive: requestMs / beforeMs, perMs: requests / beforeMs };
}

function near(actual: number, expected: number, share: number): void {
  assert.ok(Math.abs(actual / expected - 1) <= share, `${actual} is not within ${100 * share} % of ${expected}`);
}

describe("simulated stages against queueing theory", function () {
  this.timeout(120_000);

  for (const scv of [0, 0.5, 1, 3])
    it(`wait as Pollaczek and Khinchine say where service times vary by ${scv}`, () => {
      const utilisation = 0.7;
      const waitMs = (utilisation * SERVICE_MS * (1 + scv)) / (2 * (1 - utilisation));
      near(measure({ scv, utilisation }).meanMs, SERVICE_MS + waitMs, 0.05);
    });

  it("have as many requests in them as Little's law says", () => {
    for (const system of [
      { scv: 1, utilisation: 0.8 },
      { scv: 0, utilisation: 0.9, replicas: 4 },
      { scv: 0.02, utilisation: 0.6, replicas: 2, batch: 8 },
    ]) {
      const { meanMs, meanLive, perMs } = measure(system);
      near(meanLive, perMs * meanMs, 1e-9);
    }
  });

  it("take whole batches where the queue is long, and what there is where it is short", () => {
    near(measure({ scv: 0, utilisation: 0.02, batch: 8 }).meanMs, SERVICE_MS, 0.12);
    const { meanMs } = measure({ scv: 0, utilisation: 0.95, batch: 8 });
    assert.ok(meanMs < 5 * SERVICE_MS, `a stage that takes 8 at a time keeps up at 95 %, mean ${meanMs} ms`);
  });

  it("wait less where of two replicas the one with less work is picked than where each has its own load", () => {
    const two = measure({ scv: 1, utilisation: 0.8, replicas: 4 }).meanMs;
    const apart = measure({ scv: 1, utilisation: 0.8 }).meanMs;
    assert.ok(two < 0.6 * apart, `${two} ms, and ${apart} ms apart`);
  });
});
