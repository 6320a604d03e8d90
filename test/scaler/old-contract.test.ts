import assert from "node:assert/strict";
import { type ChannelCredentials, type Client, credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterEach, beforeEach, describe, it } from "mocha";
import { until } from "./support/manual-clock.ts";
import { Received, RunningScaler, refOf } from "./support/running-scaler.ts";

interface OldClient extends Client {
  [method: string]: unknown;
}

const fixture = new URL("../fixtures/externalscaler-before-2.17.proto", import.meta.url).pathname;
const definition = loadSync(fixture, { longs: Number, defaults: true });
const { ExternalScaler } = loadPackageDefinition(definition)["externalscaler"] as unknown as {
  ExternalScaler: new (address: string, secured: ChannelCredentials) => OldClient;
};

describe("a client of the contract before KEDA 2.17", () => {
  let running: RunningScaler;
  let old: OldClient;

  beforeEach(async () => {
    running = await RunningScaler.start();
    old = new ExternalScaler(`127.0.0.1:${running.scaler.ports.keda}`, credentials.createInsecure());
  });
  afterEach(async () => {
    old.close();
    await running.close();
  });

  function ask<T>(method: string, request: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = old[method] as (request: unknown, done: (error: Error | null, value: T) => void) => void;
      call.call(old, request, (error, value) => (error ? reject(error) : resolve(value)));
    });
  }

  /** What an old client makes of the whole-number fields: the replicas that it has the HPA ask for. */
  async function replicas(): Promise<number> {
    const { metricSpecs } = await ask<{ metricSpecs: { targetSize: number }[] }>("GetMetricSpec", refOf());
    const request = { scaledObjectRef: refOf(), metricName: "variscale-cards-detect" };
    const { metricValues } = await ask<{ metricValues: { metricValue: number }[] }>("GetMetrics", request);
    assert.deepEqual([metricSpecs.length, metricValues.length], [1, 1]);
    return Math.ceil((metricValues[0]?.metricValue ?? Number.NaN) / (metricSpecs[0]?.targetSize ?? Number.NaN));
  }

  /** What a client since 2.17 makes of the same answers: the field of a fraction where it is above zero. */
  async function replicasSince217(): Promise<number> {
    const spec = (await running.keda.spec(refOf())).metricSpecs[0];
    const value = (await running.keda.metrics(refOf())).metricValues[0];
    assert.ok(spec && value);
    const target = spec.targetSizeFloat > 0 ? spec.targetSizeFloat : spec.targetSize;
    return Math.ceil((value.metricValueFloat > 0 ? value.metricValueFloat : value.metricValue) / target);
  }

  it("T11: reads every count as it is meant, and a newer one the same", async () => {
    const counts = new Set<number>();
    for (const rateRps of [5, 30, 60, 120, 400, 800]) {
      await running.planFor(rateRps);
      const count = running.board?.stages[0]?.replicasNow ?? Number.NaN;
      counts.add(count);
      assert.deepEqual([await replicas(), await replicasSince217()], [count, count]);
      assert.deepEqual(await ask("IsActive", refOf()), { result: true });
    }
    assert.ok(counts.size >= 3, [...counts].join());
  });

  it("gets the names and fields that it knows, and nothing else", async () => {
    await running.planFor(100);
    assert.deepEqual(await ask("GetMetricSpec", refOf()), {
      metricSpecs: [{ metricName: "variscale-cards-detect", targetSize: 1 }],
    });
    assert.deepEqual(await ask("GetMetrics", { scaledObjectRef: refOf(), metricName: "m" }), {
      metricValues: [{ metricName: "variscale-cards-detect", metricValue: running.board?.stages[0]?.replicasNow }],
    });
  });

  it("gets activity pushed without ever asking for a stream of specs", async () => {
    const open = old["StreamIsActive"] as (request: unknown) => NodeJS.EventEmitter;
    const stream = new Received<{ result: boolean }>(open.call(old, refOf()));
    await until(() => stream.messages.length === 1, "activity");
    assert.deepEqual(stream.messages, [{ result: true }]);
    await running.scaler.close();
    await until(() => stream.ended !== null, "the end");
    assert.equal(stream.ended?.code, 0);
  });
});
