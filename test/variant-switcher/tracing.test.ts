import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { after, before, describe, it } from "mocha";
import { pino } from "pino";
import { openTracing, type Tracing } from "../../variant-switcher/tracing.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

interface OtlpSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly parentSpanId?: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
}

describe("tracing", () => {
  const folder = new TestFolder();
  const spans: OtlpSpan[] = [];
  let collector: Server;
  let tracing: Tracing | null;
  let switcher: TestSwitcher;
  let lines = "";

  before(async () => {
    collector = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as {
          resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[];
        };
        spans.push(...body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(scope => scope.spans)));
        response.end("{}");
      });
    });
    await new Promise<void>(resolve => collector.listen(0, "127.0.0.1", resolve));
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint;
    tracing = await openTracing(process.env, "affine", "affine-0");
    delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
    const stream = new PassThrough();
    stream.on("data", data => {
      lines += data;
    });
    const logger = pino({ level: "debug" }, stream);
    switcher = await TestSwitcher.startReady(affineConfig(folder.path), { tracing, logger });
  });
  after(async () => {
    await new Promise(resolve => collector.close(resolve));
    folder.delete();
  });

  it("is off unless a collector is named, and where it is switched off", async () => {
    assert.equal(await openTracing({}, "s", "p"), null);
    const named = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:1" };
    assert.equal(await openTracing({ ...named, OTEL_SDK_DISABLED: "true" }, "s", "p"), null);
  });

  it("sends spans for each request, its wait and its run, in the trace of its caller, and logs what was dropped with its id", async () => {
    const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [2, 2], data: [1, 2, 3, 4] }] });
    const post = (path: string, headers: Record<string, string>) =>
      switcher.http(`/v2/models/affine${path}/infer`, { method: "POST", body, headers });
    const traceparent = `00-${TRACE}-${PARENT}-01`;
    assert.equal((await post("", { traceparent, "x-request-id": "req-1" })).status, 200);
    assert.equal((await post("/versions/b", { traceparent: "nonsense", "x-request-id": "req-2" })).status, 409);
    await switcher.close();
    const [served] = spans.filter(({ traceId, name }) => traceId === TRACE && name === "infer affine");
    const [dropped] = spans.filter(({ traceId }) => traceId !== TRACE);
    assert.deepEqual([served?.name, served?.traceId, served?.parentSpanId], ["infer affine", TRACE, PARENT]);
    const attributes = Object.fromEntries(
      (served?.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]),
    );
    assert.equal(attributes["variscale.variant"], "a");
    assert.equal(Number(attributes["variscale.rows"]), 2);
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
