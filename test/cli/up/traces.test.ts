import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { InferenceClient } from "../../support/inference-client.ts";
import { OtlpCollector, type OtlpSpan } from "../../support/otlp-collector.ts";
import { TestFolder } from "../../support/switcher-harness.ts";
import { writeTinyPipeline } from "../support/tiny-pipeline.ts";
import { UpProcess } from "../support/up-process.ts";

const OVER_HTTP = { trace: "0af7651916cd43dd8448eb211c80319c", caller: "b7ad6b7169203331" };
const OVER_GRPC = { trace: "1bf7651916cd43dd8448eb211c80319d", caller: "c7ad6b7169203332" };

const makeHeaders = ({ trace, caller }: typeof OVER_HTTP) => ({
  traceparent: `00-${trace}-${caller}-01`,
  tracestate: "vendor=1",
});

describe("traces of the processes of `variscale up`", function () {
  this.timeout(300_000);
  const folder = new TestFolder();
  let collector: OtlpCollector;
  let up: UpProcess | undefined;

  before(async () => {
    collector = await OtlpCollector.start();
    writeTinyPipeline(folder.path);
    up = await UpProcess.startReady(folder.path, [], { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
    const response = await fetch(up.url, { method: "POST", body: "3", headers: makeHeaders(OVER_HTTP) });
    assert.equal(response.status, 200, await response.text());
    await inferByGrpc(up);
    assert.equal(await up.end("SIGTERM"), 0);
  });
  after(async () => {
    up?.killAll();
    await collector.close();
    folder.delete();
  });

  /** Asks a switcher of the first stage itself. */
  async function inferByGrpc(running: UpProcess): Promise<void> {
    const line = running.logs().find(({ msg, stage }) => msg === "listening" && stage === "first");
    assert.ok(line);
    const client = new InferenceClient((line["ports"] as { grpc: number }).grpc);
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2], contents: { fp32Contents: [1, 2] } }];
    await client.call("ModelInfer", { modelName: "first", inputs }, { metadata: makeHeaders(OVER_GRPC) });
    client.close();
  }

  const findChildren = (parent: string | undefined, trace: string): readonly OtlpSpan[] =>
    collector.spans.filter(({ parentSpanId, traceId }) => parentSpanId === parent && traceId === trace);

  it("have one trace from an HTTP client over the gateway to the sessions of all stages", () => {
    const { trace, caller } = OVER_HTTP;
    const [request, ...others] = findChildren(caller, trace);
    assert.deepEqual([request?.name, request?.service, others], ["infer default/tiny", "variscale-gateway", []]);
    const calls = findChildren(request?.spanId, trace);
    assert.deepEqual([...new Set(calls.map(({ name }) => name))].sort(), ["call first", "call second"]);
    for (const call of calls) {
      const [served, ...more] = findChildren(call.spanId, trace);
      const expected = [call.name.replace("call", "infer"), "variscale-switcher", []];
      assert.deepEqual([served?.name, served?.service, more], expected);
      const names = findChildren(served?.spanId, trace).map(({ name }) => name);
      assert.deepEqual(names.sort(), ["queue", "run"]);
    }
    const inTrace = collector.spans.filter(({ traceId }) => traceId === trace);
    assert.equal(inTrace.length, 1 + 4 * calls.length);
    assert.ok(inTrace.every(({ traceState }) => traceState === "vendor=1"));
  });

  it("have one trace from a gRPC client to the session of the switcher that it asks", () => {
    const { trace, caller } = OVER_GRPC;
    const [served, ...others] = findChildren(caller, trace);
    assert.deepEqual([served?.name, served?.service, others], ["infer first", "variscale-switcher", []]);
    const parts = findChildren(served?.spanId, trace);
    assert.deepEqual(parts.map(({ name }) => name).sort(), ["queue", "run"]);
    const inTrace = collector.spans.filter(({ traceId }) => traceId === trace);
    assert.equal(inTrace.length, 3);
    assert.ok(inTrace.every(({ traceState }) => traceState === "vendor=1"));
  });

  it("tell the ticks of the scaler and the streams of the switchers", () => {
    const told = collector.spans.filter(({ service }) => service === "variscale-scaler");
    const ticks = told.filter(({ name }) => name === "tick");
    assert.ok(ticks.length > 0);
    assert.ok(ticks.every(({ attributes }) => attributes["variscale.pipeline"] === "default/tiny"));
    assert.ok(ticks.some(({ attributes }) => attributes["variscale.decided"] === true));
    assert.ok(told.some(({ name }) => name === "Follow"));
  });
});
