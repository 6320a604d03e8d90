import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { GetMetricSpecResponse__Output } from "../../proto/generated/externalscaler/GetMetricSpecResponse.ts";
import type { IsActiveResponse__Output } from "../../proto/generated/externalscaler/IsActiveResponse.ts";
import type { Refusal, ScaledObjectName } from "../../scaler/refusals.ts";
import { until } from "./support/manual-clock.ts";
import { Received, RunningScaler, refOf } from "./support/running-scaler.ts";
import { testPipeline } from "./support/test-pipeline.ts";

describe("KedaService", () => {
  let running: RunningScaler;
  beforeEach(async () => {
    running = await RunningScaler.start();
  });
  afterEach(() => running.close());

  it("answers GetMetricSpec with target 1 before there is a plan", async () => {
    const { metricSpecs } = await running.keda.spec(refOf());
    assert.deepEqual(metricSpecs, [{ metricName: "variscale-cards-detect", targetSize: 1, targetSizeFloat: 1 }]);
  });

  it("T5: fails GetMetrics alone while there is no plan: with GetMetricSpec failing too, KEDA's fallback would not come", async () => {
    await assert.rejects(running.keda.metrics(refOf()), {
      code: status.UNAVAILABLE,
      details: /no plan for shop\/cards/,
    });
    assert.equal((await running.keda.spec(refOf())).metricSpecs.length, 1);
    assert.equal((await running.keda.isActive(refOf())).result, true);
  });

  it("T8: returns exactly one value, the stage's replica count", async () => {
    await running.planFor(100);
    const { metricValues } = await running.keda.metrics(refOf());
    const replicas = running.board?.stages[0]?.replicasNow;
    assert.ok(replicas !== undefined && replicas >= 1);
    assert.deepEqual(metricValues, [
      { metricName: "variscale-cards-detect", metricValue: replicas, metricValueFloat: replicas },
    ]);
  });

  it("T12: keeps the metric's name, whatever it is asked for", async () => {
    await running.planFor(10);
    for (const asked of ["variscale-cards-detect", "s0-variscale-cards-detect", "", "other"])
      assert.equal((await running.keda.metrics(refOf(), asked)).metricValues[0]?.metricName, "variscale-cards-detect");
  });

  it("T17: tells the whole count while the stage is at zero: the HPA goes there with its next look", async () => {
    await running.planFor(300);
    const stage = running.board?.stages[0];
    assert.equal(stage?.replicasReady, 0);
    assert.ok((stage?.replicasNow ?? 0) > 1, JSON.stringify(stage));
    assert.equal(await running.keda.replicas(refOf()), stage?.replicasNow);
  });

  it("T13: answers from the last board while the loop stands still, until it is too old", async () => {
    await running.planFor(50);
    const before = await running.keda.replicas(refOf());
    running.clock.set(running.clock.nowMs() + 30_000);
    assert.equal(await running.keda.replicas(refOf()), before);
    running.clock.set(running.clock.nowMs() + 1);
    await assert.rejects(running.keda.metrics(refOf()), { code: status.UNAVAILABLE, details: /30 s old/ });
    // Only GetMetrics fails: with GetMetricSpec failing too, KEDA's fallback would never come.
    assert.equal((await running.keda.spec(refOf())).metricSpecs.length, 1);
    assert.equal((await running.keda.isActive(refOf())).result, true);
  });

  it("answers an unknown pipeline or stage with INVALID_ARGUMENT and what there is", async () => {
    const other = refOf("detect", { namespace: "bank" });
    const calls = [
      [refOf("crop"), /no stage `crop`; it has: detect, read/],
      [
        refOf("detect", { scalerMetadata: { pipeline: "card", stage: "detect" } }),
        /unknown pipeline `card`; .*: cards/,
      ],
      [other, /there is none in namespace `bank`/],
      [refOf("detect", { namespace: "" }), /`namespace` is empty/],
      [
        refOf("detect", { name: "x".repeat(60_000) }),
        /^the call names no ScaledObject: `name` must be a DNS name of 253/,
      ],
      [refOf("detect", { namespace: "Shop/" }), /`namespace` must be a DNS name/],
      [refOf("detect", { scalerMetadata: {} }), /`pipeline` is missing/],
    ] as const;
    for (const [ref, details] of calls) {
      // All are awaited at once: one that is refused before another one would have nobody who listens.
      await Promise.all(
        [running.keda.spec(ref), running.keda.metrics(ref), running.keda.isActive(ref)].map(call =>
          assert.rejects(call, { code: status.INVALID_ARGUMENT, details }),
        ),
      );
      const streams = [running.keda.raw.StreamIsActive(ref), running.keda.raw.StreamMetricSpec(ref)];
      for (const stream of streams.map(one => new Received(one))) {
        await until(() => stream.ended !== null, "the refusal");
        assert.equal(stream.ended?.code, status.INVALID_ARGUMENT);
        assert.match(stream.ended?.details ?? "", details);
      }
    }
  });

  it("tells the ScaledObject's owner once why its calls are refused", async () => {
    const told: [ScaledObjectName, Refusal][] = [];
    const other = await RunningScaler.start({ onRefused: (...one) => told.push(one) });
    try {
      const refs = [
        refOf("detect", { scalerMetadata: { pipeline: "cards", stage: "detect", stageName: "x" } }),
        refOf("detect", { namespace: "bank" }),
        refOf("crop"),
        refOf("detect", { namespace: "" }),
      ];
      for (const ref of [...refs, ...refs]) {
        const code = status.INVALID_ARGUMENT;
        await assert.rejects(other.keda.spec(ref), { code });
        await assert.rejects(other.keda.metrics(ref), { code });
      }
      assert.deepEqual(
        told.map(([{ namespace, name }, { reason }]) => [namespace, name, reason]),
        [
          ["shop", "cards-detect", "InvalidTriggerMetadata"],
          ["bank", "cards-detect", "UnknownPipeline"],
          ["shop", "cards-crop", "UnknownStage"],
        ],
      );
      assert.match(told[2]?.[1].message ?? "", /no stage `crop`; it has: detect, read/);
    } finally {
      await other.close();
    }
  });

  it("T7: streams the spec at once, the same that GetMetricSpec tells", async () => {
    const stream = new Received<GetMetricSpecResponse__Output>(running.keda.raw.StreamMetricSpec(refOf()));
    await until(() => stream.messages.length === 1, "the spec");
    assert.deepEqual(stream.messages[0], await running.keda.spec(refOf()));
  });

  it("T16: repeats for a minute that a stage that may go to zero is active while it is there", async () => {
    await running.close();
    running = await RunningScaler.start({ pipelines: [testPipeline({ minReplicas: 0 })] });
    const stream = new Received<IsActiveResponse__Output>(running.keda.raw.StreamIsActive(refOf()));
    await until(() => stream.messages.length === 1, "the first activity");
    await running.planFor(20);
    await running.clock.advance(4000);
    const soon = stream.messages.length;
    assert.ok(soon >= 3, `${soon} messages while at zero`);
    await running.clock.advance(60_000);
    const late = stream.messages.length;
    assert.ok(late >= 20, `${late} messages in a minute`);
    await running.clock.advance(20_000);
    assert.equal(stream.messages.length, late);
    assert.ok(stream.messages.every(message => message.result));
  });

  it("T15: does not repeat it where a stage never goes to zero, whatever is known of its replicas", async () => {
    const stream = new Received<IsActiveResponse__Output>(running.keda.raw.StreamIsActive(refOf()));
    await until(() => stream.messages.length === 1, "the first activity");
    await running.planFor(20);
    await running.clock.advance(10_000);
    assert.equal(stream.messages.length, 1);
  });

  it("T15: does not repeat it above zero, which would put off the way to zero", async () => {
    await running.close();
    running = await RunningScaler.start({ pipelines: [testPipeline({ minReplicas: 0 })] });
    const stream = new Received<IsActiveResponse__Output>(running.keda.raw.StreamIsActive(refOf()));
    await until(() => stream.messages.length === 1, "the first activity");
    await running.planFor(20);
    const switcher = running.switcher();
    await running.runUntil(
      board => board.stages[0]?.replicasReady === 1,
      () => switcher.report(),
    );
    const ready = stream.messages.length;
    for (let i = 0; i < 10; i++) {
      switcher.report();
      await running.clock.advance(1000);
    }
    assert.equal(stream.messages.length, ready);
  });

  it("T14: ends streams with OK when the scaler stops", async () => {
    const activity = new Received(running.keda.raw.StreamIsActive(refOf()));
    const spec = new Received(running.keda.raw.StreamMetricSpec(refOf()));
    await until(() => activity.messages.length + spec.messages.length === 2, "both streams");
    await running.scaler.close();
    await until(() => activity.ended !== null && spec.ended !== null, "the end");
    assert.deepEqual([activity.ended?.code, spec.ended?.code], [status.OK, status.OK]);
  });

  it("answers every trigger metadata with OK or INVALID_ARGUMENT", async () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("pipeline", "stage", "__proto__", "cards"));
    const name = fc.oneof(text, fc.constantFrom("shop", "detect"));
    const refs = fc.record({ name, namespace: name, scalerMetadata: fc.dictionary(text, text) });
    await fc.assert(
      fc.asyncProperty(refs, async ref => {
        for (const call of [running.keda.spec(ref), running.keda.isActive(ref)]) {
          try {
            await call;
          } catch (error) {
            assert.equal((error as { code?: number }).code, status.INVALID_ARGUMENT, String(error));
          }
        }
      }),
      { numRuns: 150 },
    );
    assert.equal((await running.keda.spec(refOf())).metricSpecs.length, 1);
  });
});

describe("KedaService in shadow mode", () => {
  it("tells the replicas that are there, not the goal", async () => {
    const running = await RunningScaler.start({ pipelines: [testPipeline({ mode: "shadow" })] });
    try {
      const switcher = running.switcher();
      running.gateway.rateRps = 300;
      await running.runUntil(
        ({ stages }) => (stages[0]?.replicasGoal ?? 0) > 1 && stages[0]?.replicasReady === 1,
        () => switcher.report(),
      );
      assert.equal(await running.keda.replicas(refOf()), 1);
      assert.equal(switcher.assignments.length, 0);
    } finally {
      await running.close();
    }
  });
});
