import assert from "node:assert/strict";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { numberPipeline, startNumberGateway, type TestGateway } from "./number-pipeline.ts";
import { type Replica, startEchoReplica } from "./replicas.ts";

/** What a fetch can send as the value of a header. */
const headerValue = fc.stringMatching(/^[ -~]{0,200}$/);
const segment = fc.constantFrom(
  "v1",
  "pipelines",
  "test",
  "numbers",
  "load",
  "healthz",
  "metrics",
  "%zz",
  "%00",
  "..",
  "",
);
const path = fc.oneof(
  fc.constant("/v1/pipelines/test/numbers"),
  fc.array(segment, { maxLength: 6 }).map(parts => `/${parts.join("/")}`),
);
const body = fc.oneof(
  fc
    .record({ numbers: fc.oneof(fc.array(fc.integer({ min: 0, max: 65_535 }), { maxLength: 20 }), fc.jsonValue()) })
    .map(json => JSON.stringify(json)),
  fc.json(),
  fc.uint8Array().map(bytes => Buffer.from(bytes)),
);
const headers = fc.record(
  {
    "x-request-timeout-ms": fc.oneof(fc.constantFrom("1000", "0", "-1", "1e9", "NaN"), headerValue),
    "x-request-id": headerValue,
    "x-sequence-id": headerValue,
    "x-user-id": headerValue,
    "x-variscale-keep": headerValue,
    "content-type": headerValue,
  },
  { requiredKeys: [] },
);

describe("fuzzing the gateway", () => {
  let replica: Replica;
  let started: TestGateway;

  before(async () => {
    replica = await startEchoReplica();
    const pipeline = numberPipeline(5000, "serving: { sticky: { by: x-user-id, ttlMs: 1000 } }");
    started = await startNumberGateway({ count: [replica], read: [replica] }, { pipeline });
  });
  after(async () => {
    await started.gateway.close(0);
    await replica.close();
  });

  it("answers any request, and none with 500, counts each once and serves on", async () => {
    const { url, post, gateway } = started;
    const before = gateway.load();
    let served = 0;
    await fc.assert(
      fc.asyncProperty(
        path,
        fc.constantFrom("GET", "POST", "PUT", "DELETE"),
        headers,
        body,
        async (where, method, given, sent) => {
          const init = { method, headers: given, ...(method !== "GET" && { body: sent }) };
          const response = await fetch(`${url}${where}`, init);
          const text = await response.text();
          assert.ok(response.status < 500 || response.status === 504, `${method} ${where}: ${response.status} ${text}`);
          if (response.status >= 400) assert.equal(typeof JSON.parse(text).error, "string");
          if (method === "POST" && response.status === 200) served += 1;
        },
      ),
      { numRuns: 300 },
    );
    assert.equal(gateway.load().served - before.served, served);
    assert.equal(gateway.load().inFlight, 0);
    assert.equal(gateway.load().lost, before.lost);
    assert.equal((await post({ numbers: [7] })).status, 200);
  });
});
