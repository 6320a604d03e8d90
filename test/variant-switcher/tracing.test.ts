import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { after, before, describe, it } from "mocha";
import { pino } from "pino";
import { OtlpCollector } from "../support/otlp-collector.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

describe("tracing", () => {
  const folder = new TestFolder();
  let collector: OtlpCollector;
  let switcher: TestSwitcher;
  let lines = "";

  before(async () => {
    collector = await OtlpCollector.start();
    const tracer = await collector.openTracer({ service: "variscale-switcher", instance: "affine-0", attributes: {} });
    const stream = new PassThrough();
    stream.on("data", data => {
      lines += data;
    });
    const logger = pino({ level: "debug" }, stream);
    switcher = await TestSwitcher.startReady(affineConfig(folder.path), { tracer, logger });
  });
  after(async () => {
    await collector.close();
    folder.delete();
  });

  it("sends spans for each request, its wait and its run, in the trace of its caller, and logs what was dropped with its id", async () => {
    const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [2, 2], data: [1, 2, 3, 4] }] });
    const post = (path: string, headers: Record<string, string>) =>
      switcher.http(`/v2/models/affine${path}/infer`, { method: "POST", body, headers });
    const traceparent = `00-${TRACE}-${PARENT}-01`;
    assert.equal((await post("", { traceparent, "x-request-id": "req-1" })).status, 200);
    assert.equal((await post("/versions/b", { traceparent: "nonsense", "x-request-id": "req-2" })).status, 409);
    await switcher.close();
    const { spans } = collector;
    const [served] = spans.filter(({ traceId, name }) => traceId === TRACE && name === "infer affine");
    const [dropped] = spans.filter(({ traceId }) => traceId !== TRACE);
    assert.deepEqual([served?.name, served?.traceId, served?.parentSpanId], ["infer affine", TRACE, PARENT]);
    const attributes = served?.attributes ?? {};
    assert.equal(attributes["variscale.variant"], "a");
    assert.equal(Number(attributes["variscale.rows"]), 2);
    assert.equal(attributes["variscale.why"], "top");
    // Nobody waits for longer than 30 s.
    const slackMs = Number(attributes["variscale.slack_ms"]);
    assert.ok(slackMs > 0 && slackMs < 30_000, String(slackMs));
    assert.equal(attributes["variscale.request_id"], "req-1");
    assert.notEqual(dropped?.traceId, TRACE);
    assert.equal(dropped?.status.code, 2);
    assert.match(dropped?.status.message ?? "", /wrong_variant: b is not served/);
    assert.match(lines, /"requestId":"req-2".*"reason":"wrong_variant"/);
    assert.equal(spans.length, 4);
    const [queue, run] = ["queue", "run"].map(name => spans.find(span => span.name === name));
    for (const part of [queue, run])
      assert.deepEqual([part?.traceId, part?.parentSpanId], [TRACE, served?.spanId], part?.name);
    const moments = [
      served?.startTimeUnixNano,
      queue?.startTimeUnixNano,
      queue?.endTimeUnixNano,
      run?.startTimeUnixNano,
      run?.endTimeUnixNano,
      served?.endTimeUnixNano,
    ].map(nanoseconds => BigInt(nanoseconds ?? 0));
    assert.deepEqual(
      moments,
      moments.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
    );
    assert.equal(moments[2], moments[3]);
    assert.ok((moments[0] ?? 0n) > 0n && (moments[4] ?? 0n) > (moments[3] ?? 0n));
  });
});
