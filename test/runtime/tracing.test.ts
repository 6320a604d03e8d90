import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "mocha";
import { openTracer } from "../../runtime/tracing/open-tracer.ts";
import { readTraceContext, type TraceContext, type Tracer } from "../../runtime/tracing/tracing.ts";
import { OtlpCollector } from "../support/otlp-collector.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const PROCESS = { service: "test", instance: "test-0", attributes: { "variscale.stage": "s" } };

describe("openTracer()", () => {
  let collector: OtlpCollector;

  before(async () => {
    collector = await OtlpCollector.start();
  });
  beforeEach(() => {
    collector.spans.length = 0;
  });
  after(() => collector.close());

  const isInTrace = (tracer: Tracer, caller: TraceContext): boolean => {
    const span = tracer.startSpan("work", { kind: "server" }, caller);
    span.end();
    return span.headers["traceparent"]?.split("-")[1] === TRACE;
  };

  it("is off unless a collector is named, and where it is switched off", async () => {
    assert.equal(await openTracer({}, PROCESS), null);
    const named = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:1" };
    assert.equal(await openTracer({ ...named, OTEL_SDK_DISABLED: "true" }, PROCESS), null);
  });

  it("goes on in a caller's trace, also of later versions, keeps its state, and begins one for what is none", async () => {
    const tracer = await collector.openTracer(PROCESS);
    const caller = (traceparent: string | null, tracestate: string | null = null) => ({ traceparent, tracestate });
    const span = tracer.startSpan("work", { kind: "server" }, caller(`00-${TRACE}-${PARENT}-01`, "a=1,b=2"));
    assert.match(span.headers["traceparent"] ?? "", new RegExp(`^00-${TRACE}-(?!${PARENT})[0-9a-f]{16}-01$`));
    assert.equal(span.headers["tracestate"], "a=1,b=2");
    span.end();
    assert.equal(isInTrace(tracer, caller(`cc-${TRACE}-${PARENT}-01-more`)), true);
    for (const text of [
      null,
      "",
      "nonsense",
      `00-${TRACE}-${PARENT}-01-more`,
      `ff-${TRACE}-${PARENT}-01`,
      "x".repeat(100_000),
    ])
      assert.equal(isInTrace(tracer, caller(text)), false, text?.slice(0, 100));
    await tracer.close();
    assert.equal(collector.spans[0]?.parentSpanId, PARENT);
    assert.equal(collector.spans.length, 8);
  });

  it("records nothing of a trace that its caller leaves out, and passes that on", async () => {
    const tracer = await collector.openTracer(PROCESS);
    const caller = { traceparent: `00-${TRACE}-${PARENT}-00`, tracestate: null };
    const span = tracer.startSpan("work", { kind: "server" }, caller);
    const child = span.startChild("part", { kind: "client" });
    assert.match(child.headers["traceparent"] ?? "", new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
    child.end();
    span.end();
    await tracer.close();
    assert.deepEqual(collector.spans, []);
  });

  it("bounds the children of a span and the size of attributes", async () => {
    const tracer = await collector.openTracer(PROCESS);
    const attributes = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`a${i}`, "x".repeat(10_000)]));
    const span = tracer.startSpan("work", { kind: "server", attributes }, null);
    for (let i = 0; i < 1000; i++) {
      const child = span.startChild("part", { kind: "client" });
      assert.ok(child.headers["traceparent"]);
      child.end();
    }
    span.end({ problem: "y".repeat(10_000) });
    await tracer.close();
    const parts = collector.spans.filter(({ name }) => name === "part");
    const work = collector.find("work");
    assert.equal(parts.length, 64);
    assert.ok(parts.every(({ parentSpanId }) => parentSpanId === work.spanId));
    assert.ok(Object.keys(work.attributes).length <= 32);
    for (const value of Object.values(work.attributes)) assert.ok(String(value).length <= 256);
    assert.equal(work.status.message?.length, 256);
  });

  it("says how many children it left out", async () => {
    const tracer = await collector.openTracer(PROCESS);
    const span = tracer.startSpan("work", { kind: "server" }, null);
    for (let i = 0; i < 70; i++) span.startChild("part", { kind: "client" }).end();
    span.end();
    await tracer.close();
    assert.equal(Number(collector.find("work").attributes["variscale.children_left_out"]), 6);
  });

  it("samples as OpenTelemetry's variables say, and refuses samplers that it does not know", async () => {
    const none = await collector.openTracer(PROCESS, {
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0",
    });
    none.startSpan("work", { kind: "server" }, null).end();
    none.startSpan("asked", { kind: "server" }, { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: null }).end();
    await none.close();
    assert.deepEqual(
      collector.spans.map(({ name }) => name),
      ["asked"],
    );
    for (const more of [
      { OTEL_TRACES_SAMPLER: "often" },
      { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" },
    ])
      await assert.rejects(collector.openTracer(PROCESS, more), {
        code: "invalid_argument",
        message: /OTEL_TRACES_SAMPLER/,
      });
  });

  it("names the process as OTEL_SERVICE_NAME says", async () => {
    for (const name of ["", "mine"]) {
      const tracer = await collector.openTracer(PROCESS, { OTEL_SERVICE_NAME: name });
      tracer.startSpan("work", { kind: "server" }, null).end();
      await tracer.close();
    }
    assert.deepEqual(
      collector.spans.map(({ service }) => service),
      ["test", "mine"],
    );
  });
});

describe("readTraceContext()", () => {
  it("takes single headers alone", () => {
    const headers: Record<string, unknown> = { traceparent: ["a", "b"], tracestate: "x=1" };
    assert.deepEqual(
      readTraceContext(name => headers[name]),
      { traceparent: null, tracestate: "x=1" },
    );
  });
});
