import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { OtlpCollector } from "../support/otlp-collector.ts";
import { RunningScaler, refOf } from "./support/running-scaler.ts";

describe("ScalerSpans", () => {
  it("has a span of every tick, which says whether it decided anything, and of every call", async () => {
    const collector = await OtlpCollector.start();
    const tracer = await collector.openTracer({ service: "variscale-scaler", instance: "scaler-0", attributes: {} });
    const running = await RunningScaler.start({ tracer });
    await running.planFor(20);
    await running.keda.spec(refOf());
    await assert.rejects(running.keda.spec(refOf("none")));
    await running.close();
    await collector.close();
    const { spans } = collector;
    const ticks = spans.filter(({ name }) => name === "tick");
    assert.ok(ticks.length > 0);
    assert.equal(ticks[0]?.attributes["variscale.pipeline"], "shop/cards");
    assert.ok(ticks.some(({ attributes }) => attributes["variscale.decided"] === true));
    assert.ok(ticks.some(({ attributes }) => attributes["variscale.decided"] === false));
    const calls = spans.filter(({ name }) => name === "GetMetricSpec").map(({ status }) => status.message);
    assert.deepEqual(calls, [undefined, "INVALID_ARGUMENT"]);
    const ids = spans.map(({ traceId }) => traceId);
    assert.equal(new Set(ids).size, ids.length);
    for (const { startTimeUnixNano, endTimeUnixNano } of spans)
      assert.ok(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano));
  });
});
