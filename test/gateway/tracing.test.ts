import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Pipeline } from "../../domain/pipeline.ts";
import { definePipeline, type PipelineCode, type Row } from "../../gateway/stage.ts";
import { OtlpCollector } from "../support/otlp-collector.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";
import { numberPipeline, stageOf, startNumberGateway } from "./number-pipeline.ts";
import { startEchoReplica, startFullReplica } from "./replicas.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CLIENT = "b7ad6b7169203331";
const HEADERS = { traceparent: `00-${TRACE}-${CLIENT}-01`, tracestate: "vendor=1" };
const GATEWAY = { service: "variscale-gateway", instance: "gateway-0", attributes: {} };

describe("tracing through a gateway", () => {
  let collector: OtlpCollector;
  const ends: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    collector = await OtlpCollector.start();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    await collector.close();
  });

  it("is one trace from the client over the gateway and its call to the switcher's session", async () => {
    const folder = new TestFolder();
    ends.push(async () => folder.delete());
    const switcherTracer = await collector.openTracer({
      service: "variscale-switcher",
      instance: "affine-0",
      attributes: {},
    });
    const switcher = await TestSwitcher.startReady(affineConfig(folder.path), { tracer: switcherTracer });
    const base = numberPipeline(8000);
    const { contract } = affineConfig(folder.path) as unknown as Pick<ReturnType<typeof stageOf>, "contract">;
    const variants = ["a", "b", "c"].map(name => ({ ...stageOf(base, "read").variants[0]!, name }));
    const stage = { ...stageOf(base, "read"), name: "affine", upstream: null, contract, variants, defaultVariant: "a" };
    const pipeline: Pipeline = { ...base, stages: [stage] };
    const code = definePipeline<{ values: number[] }, unknown>({
      decode: () => ({ values: [] }),
      stages: {
        affine: {
          rows: (): Row[] => [{ x: { datatype: "FP32", shape: [2], data: new Float32Array([3, 3]) } }],
          collect: (context, outputs) => {
            context.values = outputs.map(output => Number(output["y"]?.data[1]));
          },
        },
      },
      respond: ({ values }) => values,
    });
    const address = `127.0.0.1:${switcher.switcher.ports.http}`;
    const tracer = await collector.openTracer(GATEWAY);
    const started = await startNumberGateway(
      { affine: [{ address }] },
      { pipeline, code: code as PipelineCode, tracer },
    );
    assert.deepEqual(await (await started.post("{}", { ...HEADERS, "x-request-id": "r-1" })).json(), [7]);
    await started.gateway.close(0);
    await switcher.close();

    const chain = ["infer test/numbers", "call affine", "infer affine", "run"].map(name => collector.find(name, TRACE));
    const parents = chain.map(({ parentSpanId }) => parentSpanId);
    assert.deepEqual(parents, [CLIENT, ...chain.slice(0, -1).map(({ spanId }) => spanId)]);
    assert.equal(collector.find("queue", TRACE).parentSpanId, chain[2]?.spanId);
    assert.deepEqual(
      chain.map(({ service }) => service),
      ["variscale-gateway", "variscale-gateway", "variscale-switcher", "variscale-switcher"],
    );
    const [request, call, served] = chain;
    assert.deepEqual([request?.kind, call?.kind, served?.kind], [2, 3, 2]);
    assert.ok(chain.every(({ traceState }) => traceState === "vendor=1"));
    assert.equal(request?.attributes["variscale.outcome"], "served");
    assert.equal(request?.attributes["variscale.variants"], "affine=a");
    assert.equal(call?.attributes["server.address"], address);
    assert.equal(served?.attributes["variscale.request_id"], "r-1");
    assert.equal(collector.spans.length, 5);
  });

  it("has a span of every call, with why it failed, and of a request that was dropped", async () => {
    const [full, echo] = [await startFullReplica(), await startEchoReplica()];
    ends.push(full.close, echo.close);
    const tracer = await collector.openTracer(GATEWAY);
    const started = await startNumberGateway(
      { count: [{ address: echo.address }], read: [{ address: full.address }] },
      { tracer },
    );
    assert.equal((await started.post({ numbers: [1] })).status, 503);
    await started.gateway.close(0);
    const request = collector.find("infer test/numbers");
    assert.deepEqual([request.parentSpanId, request.status.code], [undefined, 2]);
    assert.equal(request.attributes["variscale.outcome"], "dropped");
    const calls = collector.spans.filter(({ name }) => name.startsWith("call "));
    assert.ok(
      calls.every(({ parentSpanId, traceId }) => parentSpanId === request.spanId && traceId === request.traceId),
    );
    assert.deepEqual(
      calls.map(({ name, status }) => [name, status.message]),
      [
        ["call count", undefined],
        ["call read", "full"],
      ],
    );
  });

  it("passes a client's trace on as it is where the gateway traces nothing", async () => {
    const replica = await startEchoReplica();
    ends.push(replica.close);
    const started = await startNumberGateway({ count: [replica], read: [replica] });
    ends.push(() => started.gateway.close(0));
    const { traceparent } = HEADERS;
    for (const [sent, passed] of [
      [HEADERS, HEADERS],
      [{ traceparent, tracestate: "x".repeat(1000) }, { traceparent }],
      [{ traceparent: "y".repeat(300) }, {}],
      [{}, {}],
    ] as const) {
      replica.calls.length = 0;
      assert.equal((await started.post({ numbers: [1] }, sent)).status, 200);
      assert.deepEqual(
        replica.calls.map(({ trace }) => trace),
        [passed, passed],
      );
    }
  });
});
