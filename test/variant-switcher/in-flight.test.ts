import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import { InferenceClient } from "../support/inference-client.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

const MIB = 1024 * 1024;

describe("requests beside others that need all the memory there is for them", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;
  let client: InferenceClient;
  let senders: Socket[] = [];
  let logged: { readonly reason?: string; readonly requestId?: string; readonly rows?: number }[] = [];

  beforeEach(async () => {
    folder = new TestFolder();
    logged = [];
    const write = (line: string) => void logged.push(JSON.parse(line) as (typeof logged)[number]);
    const logger = pino({ level: "debug" }, { write });
    switcher = await TestSwitcher.startReady(affineConfig(folder.path), { logger });
    client = new InferenceClient(switcher.switcher.ports.grpc);
  });
  afterEach(async () => {
    release();
    client.close();
    await switcher.close();
    folder.delete();
  });

  const usedBytes = async (): Promise<number> =>
    Number(/switcher_request_bytes\{stage="affine"\} (\d+)/.exec(await switcher.metrics())?.[1]);
  /** Sends a body of so many bytes and one more, which does not come. */
  const hold = async (bytes: number, requestId = "held"): Promise<void> => {
    const before = await usedBytes();
    const sender = connect(switcher.switcher.ports.http, "127.0.0.1");
    sender.on("error", () => undefined);
    senders.push(sender);
    const head = `Host: x\r\nX-Request-Id: ${requestId}\r\nContent-Length: ${bytes + 1}`;
    sender.write(`POST /v2/models/affine/infer HTTP/1.1\r\n${head}\r\n\r\n`);
    sender.write(Buffer.alloc(bytes));
    await until(async () => (await usedBytes()) === before + bytes, "read");
  };
  const release = (): void => {
    for (const sender of senders) sender.destroy();
    senders = [];
  };
  const x = { name: "x", datatype: "FP32", shape: [1, 2] };
  const rawRequest = { modelName: "affine", inputs: [x], rawInputContents: [Buffer.alloc(8)] };
  const typedRequest = { modelName: "affine", inputs: [{ ...x, contents: { fp32Contents: [1, 2] } }] };
  const callsServed = async (): Promise<boolean> =>
    await client.call("ModelInfer", rawRequest).then(
      () => true,
      () => false,
    );

  for (const [name, request] of [
    ["raw", rawRequest],
    ["typed", typedRequest],
  ] as const)
    it(`are refused by gRPC with RESOURCE_EXHAUSTED: ${name} contents`, async () => {
      await hold(4 * MIB);
      await client.call("ModelInfer", request);
      await hold(4 * MIB);
      const [code, details, metadata] = await client.failure("ModelInfer", request);
      assert.equal(code, status.RESOURCE_EXHAUSTED);
      assert.match(details, /^8388608 bytes of requests are being worked on$/);
      assert.deepEqual(metadata.get("grpc-retry-pushback-ms"), ["1000"]);
      release();
      await until(callsServed, "served");
    });

  it("are refused by REST with 503 when they are inflated to more", async () => {
    const text = JSON.stringify({ inputs: [{ ...x, data: [1, 2] }] });
    const send = (body: Buffer) =>
      fetch(switcher.inferUrl, {
        method: "POST",
        headers: { "content-encoding": "gzip" },
        body: new Uint8Array(body),
      });
    const large = gzipSync(text + " ".repeat(MIB));
    await hold(4 * MIB);
    assert.equal((await send(large)).status, 200);
    await hold(3.5 * MIB);
    assert.equal((await send(gzipSync(text))).status, 200);
    const refused = await send(large);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "1");
    assert.match(await refused.text(), /bytes of requests are being worked on/);
    release();
    await until(async () => (await send(large)).status === 200, "served");
  });

  it("are refused by REST with 503 when their JSON becomes more than it is", async () => {
    const zeros = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[${"0,".repeat(300_000)}0]}]}`;
    const infer = () => fetch(switcher.inferUrl, { method: "POST", body: zeros });
    assert.equal((await infer()).status, 400);
    await hold(4 * MIB);
    const refused = await infer();
    assert.equal(refused.status, 503);
    assert.match(await refused.text(), /^.{10}\d+ bytes of requests are being worked on/);
    release();
    await until(async () => (await infer()).status === 400, "read");
  });

  it("count as offered and dropped, and are logged, as the largest unfinished body that gives way to a smaller one does", async () => {
    await hold(4 * MIB, "by REST");
    await hold(4 * MIB);
    const inputs = [{ ...x, shape: [3, 2] }];
    await client.failure("ModelInfer", { ...rawRequest, inputs, rawInputContents: [Buffer.alloc(24)] });
    const index = await switcher.http("/v2/repository/index", { method: "POST", body: "{}" });
    assert.equal(index.status, 200);
    const metrics = await switcher.metrics();
    assert.match(metrics, /offered_rows_total\{stage="affine"\} 2\n/);
    assert.match(metrics, /dropped_rows_total\{stage="affine",reason="no_memory"\} 2\n/);
    assert.match(metrics, /requests_total\{stage="affine",outcome="no_memory"\} 2\n/);
    assert.deepEqual(
      logged.filter(({ reason }) => reason === "no_memory").map(({ requestId, rows }) => [requestId, rows]),
      [
        [null, 1],
        ["by REST", 1],
      ],
    );
  });

  it("leave nothing behind that counts, whatever became of them", async () => {
    const large = gzipSync(" ".repeat(3 * MIB));
    for (let i = 0; i < 3; i++) {
      await client.call("ModelInfer", rawRequest);
      await client.failure("ModelInfer", { ...rawRequest, rawInputContents: [Buffer.alloc(3 * MIB)] });
      const headers = { "content-encoding": "gzip" };
      assert.equal(
        (await fetch(switcher.inferUrl, { method: "POST", headers, body: new Uint8Array(large) })).status,
        400,
      );
    }
    await hold(4 * MIB);
    await hold(4 * MIB);
    assert.match((await client.failure("ModelInfer", rawRequest))[1], /^8388608 bytes/);
  });
});
