import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type ClientReadableStream, credentials, loadPackageDefinition, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";
import { after, before, describe, it } from "mocha";
import type { ModelInferResponse__Output } from "../../proto/generated/inference/ModelInferResponse.ts";
import type { ModelStatisticsResponse__Output } from "../../proto/generated/inference/ModelStatisticsResponse.ts";
import type { RepositoryIndexResponse__Output } from "../../proto/generated/inference/RepositoryIndexResponse.ts";
import { InferenceClient } from "../support/inference-client.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

const floats = (...values: readonly number[]) => Buffer.from(new Float32Array(values).buffer);

describe("Open Inference Protocol V2 gRPC", () => {
  const folder = new TestFolder();
  let switcher: TestSwitcher;
  let client: InferenceClient;
  const x = (more: object = {}) => ({ name: "x", datatype: "FP32", shape: [1, 2], ...more });
  const request = (more: object = {}) => ({
    modelName: "affine",
    inputs: [x()],
    rawInputContents: [floats(1, 2)],
    ...more,
  });

  before(async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, { modelControl: "explicit" }));
    client = new InferenceClient(switcher.switcher.ports.grpc);
  });
  after(async () => {
    client.close();
    await switcher.close();
    folder.delete();
  });

  it("describes the server, its health and the model", async () => {
    assert.deepEqual(await client.call("ServerLive"), { live: true });
    assert.deepEqual(await client.call("ServerReady"), { ready: true });
    assert.deepEqual(await client.call("ModelReady", { name: "affine" }), { ready: true });
    assert.deepEqual(await client.call("ModelReady", { name: "affine", version: "b" }), { ready: false });
    const { extensions } = await client.call<{ extensions: string[] }>("ServerMetadata");
    assert.deepEqual(extensions, ["binary_tensor_data", "model_repository", "statistics"]);
    assert.deepEqual(await client.call("ModelMetadata", { name: "affine" }), {
      name: "affine",
      versions: ["a", "b", "c"],
      platform: "onnxruntime_onnx",
      inputs: [{ name: "x", datatype: "FP32", shape: ["-1", "2"] }],
      outputs: [{ name: "y", datatype: "FP32", shape: ["-1", "2"] }],
    });
  });

  it("answers grpc.health.v1 for the server, the service and the stage", async () => {
    const health = healthClient(switcher.switcher.ports.grpc);
    const check = (service: string) =>
      new Promise(resolve => health.check({ service }, (error, answer) => resolve(error?.code ?? answer?.status)));
    for (const service of ["", "inference.GRPCInferenceService", "affine"])
      assert.equal(await check(service), "SERVING");
    assert.equal(await check("nothing"), status.NOT_FOUND);
    health.close();
  });

  it("answers typed contents with typed contents, names the variant and echoes the id", async () => {
    const inputs = [x({ contents: { fp32Contents: [1, 2] } })];
    const response = await client.call<ModelInferResponse__Output>("ModelInfer", {
      modelName: "affine",
      id: "seven",
      inputs,
    });
    assert.deepEqual(
      [response.modelName, response.modelVersion, response.id, response.parameters["variant"]?.stringParam],
      ["affine", "a", "seven", "a"],
    );
    const { why, queued_rows: queuedRows, row_ms: rowMs } = response.parameters;
    assert.equal(why?.stringParam, "top");
    assert.deepEqual([queuedRows?.int64Param, typeof rowMs?.doubleParam], ["0", "number"]);
    assert.deepEqual(response.outputs[0]?.contents?.fp32Contents, [3, 5]);
    assert.deepEqual(response.rawOutputContents, []);
  });

  it("answers raw contents with raw contents", async () => {
    const response = await client.call<ModelInferResponse__Output>("ModelInfer", request());
    assert.deepEqual(response.rawOutputContents, [floats(3, 5)]);
    assert.equal(response.outputs[0]?.contents, null);
    assert.deepEqual(response.outputs[0]?.shape, ["1", "2"]);
  });

  const refused: readonly [string, object, number, RegExp][] = [
    ["an unknown model", request({ modelName: "other" }), status.NOT_FOUND, /no model other, only affine/],
    ["an unknown version", request({ modelVersion: "z" }), status.NOT_FOUND, /no version z, only a, b, c/],
    ["a version that is not served", request({ modelVersion: "b" }), status.ABORTED, /b is not served, a is/],
    ["another number of raw contents", request({ rawInputContents: [floats(1), floats(2)] }), 3, /2 entries for 1/],
    ["raw and typed contents", request({ inputs: [x({ contents: {} })] }), 3, /contents beside raw_input_contents/],
    [
      "too little raw data",
      request({ rawInputContents: [floats(1)] }),
      3,
      /has 4 bytes, FP32 of the shape \[1,2\] has 8/,
    ],
    ["too little typed data", request({ rawInputContents: [] }), 3, /has 0 fp32_contents, its shape says 2/],
    ["another datatype", request({ inputs: [x({ datatype: "INT8" })] }), 3, /"INT8", it must be FP32/],
    ["another shape", request({ inputs: [x({ shape: [1, 3] })] }), 3, /the shape is \[1,3\], it must be \[-1,2\]/],
    ["an unknown output", request({ outputs: [{ name: "z" }] }), 3, /no output "z"; the outputs are y/],
    ["a timeout below 0", request({ parameters: { timeout: { int64Param: -1 } } }), 3, /parameters\.timeout is -1/],
  ];
  for (const [name, message, code, text] of refused)
    it(`refuses ${name}`, async () => {
      const [found, details] = await client.failure("ModelInfer", message);
      assert.equal(found, code, details);
      assert.match(details, text);
    });

  it("refuses what is larger than may wait", async () => {
    const rows = 700_000;
    const inputs = [x({ shape: [rows, 2] })];
    const [code] = await client.failure("ModelInfer", request({ inputs, rawInputContents: [Buffer.alloc(8 * rows)] }));
    assert.equal(code, status.RESOURCE_EXHAUSTED);
  });

  it("refuses more tensors, and more 64-bit integers, than a request has, before they are decoded", async () => {
    const many = Array(65).fill(x());
    for (const more of [{ inputs: many }, { outputs: Array(65).fill({ name: "y" }) }]) {
      const [code, details] = await client.failure("ModelInfer", request(more));
      assert.equal(code, status.RESOURCE_EXHAUSTED);
      assert.match(details, /the message has more than 64 entries/);
    }
    const contents = { int64Contents: Array(262_145).fill(0) };
    const [code, details] = await client.failure("ModelInfer", request({ inputs: [x({ contents })] }));
    assert.equal(code, status.RESOURCE_EXHAUSTED);
    assert.match(details, /the message has more than 262144 texts/);
  });

  it("keeps the client's deadline", async () => {
    const [code] = await client.failure("ModelInfer", request(), { deadlineMs: -1 });
    assert.equal(code, status.DEADLINE_EXCEEDED);
  });

  it("counts for the statistics extension", async () => {
    const read = async () =>
      (await client.call<ModelStatisticsResponse__Output>("ModelStatistics", { name: "affine", version: "a" }))
        .modelStats[0];
    const before = await read();
    await client.call(
      "ModelInfer",
      request({ inputs: [x({ shape: [2, 2] })], rawInputContents: [floats(1, 2, 3, 4)] }),
    );
    await client.failure("ModelInfer", request({ modelVersion: "b" }));
    const after = await read();
    const grown = (path: (all: typeof after) => string | undefined) => Number(path(after)) - Number(path(before));
    assert.equal(
      grown(all => all?.inferenceCount),
      2,
    );
    assert.equal(
      grown(all => all?.inferenceStats?.success?.count),
      1,
    );
    assert.equal(
      grown(all => all?.inferenceStats?.fail?.count),
      1,
    );
    // The default batch is one row.
    assert.equal(
      grown(all => all?.executionCount),
      2,
    );
    assert.ok(grown(all => all?.inferenceStats?.computeInfer?.ns) > 0);
    assert.ok(grown(all => all?.inferenceStats?.success?.ns) > grown(all => all?.inferenceStats?.computeInfer?.ns));
    assert.ok(Math.abs(Number(after?.lastInference) - Date.now()) < 60_000);
  });

  it("says the same over REST, and that no answer came from a cache", async () => {
    const { modelStats } = await client.call<ModelStatisticsResponse__Output>("ModelStatistics", { name: "affine" });
    const [first] = modelStats;
    assert.deepEqual(
      [first?.inferenceStats?.cacheHit, first?.inferenceStats?.cacheMiss],
      [
        { count: "0", ns: "0" },
        { count: "0", ns: "0" },
      ],
    );
    const names = JSON.stringify(modelStats).replace(/[A-Z](?=\w*":)/g, letter => `_${letter.toLowerCase()}`);
    const rest = await (await switcher.http("/v2/models/affine/stats")).json();
    assert.deepEqual(rest, { model_stats: JSON.parse(names.replace(/"(\d+)"/g, "$1")) });
  });

  it("lists, loads and unloads variants", async () => {
    const index = async (ready: boolean) =>
      (await client.call<RepositoryIndexResponse__Output>("RepositoryIndex", { ready })).models.map(
        ({ version, state }) => [version, state],
      );
    assert.deepEqual(await index(true), [["a", "READY"]]);
    const load = { modelName: "affine", parameters: { variant: { stringParam: "b" } } };
    await client.call("RepositoryModelLoad", load);
    assert.deepEqual(await index(true), [
      ["a", "READY"],
      ["b", "READY"],
    ]);
    const [code, details] = await client.failure("RepositoryModelUnload", load);
    assert.equal(code, status.FAILED_PRECONDITION);
    assert.match(details, /serves b and is never left without a model/);
    await client.call("RepositoryModelUnload", { modelName: "affine", parameters: { variant: { stringParam: "a" } } });
    assert.equal((await switcher.variants())["a"]?.state, "absent");
    await switcher.admin("assignment", { method: "DELETE", headers: { "if-match": "*" } });
  });

  /** A call of 700 ms that is there when its switcher begins to end. */
  const whileEnding = async (graceMs: number, check: (call: Promise<ModelInferResponse__Output>) => Promise<void>) => {
    const variants = [{ name: "slow", driver: "emulated", points: [{ batch: 1, latencyMs: 700 }] }];
    const ending = await TestSwitcher.startReady(affineConfig(folder.path, { variants, defaultVariant: "slow" }));
    const caller = new InferenceClient(ending.switcher.ports.grpc);
    try {
      const checked = check(caller.call<ModelInferResponse__Output>("ModelInfer", request()));
      await until(async () => /offered_rows_total\{.*\} 1\n/.test(await ending.metrics()), "asked for");
      await ending.close(graceMs);
      await checked;
    } finally {
      caller.close();
      await ending.close(0);
    }
  };

  it("answers at shutdown what was asked for before", async () => {
    await whileEnding(30_000, async call => assert.equal((await call).modelVersion, "slow"));
  });

  it("tells at shutdown those whom there is no time to answer that it ends, so that they may ask another replica", async () => {
    await whileEnding(10, call => assert.rejects(call, { code: status.UNAVAILABLE, details: /the server ended/ }));
  });

  it("ends at shutdown the streams of those who watch its health, and does not wait for them", async () => {
    const ending = await TestSwitcher.startReady(affineConfig(folder.path));
    const health = healthClient(ending.switcher.ports.grpc);
    const seen: string[] = [];
    try {
      const watching = health.watch({ service: "affine" });
      const ended = new Promise<number>(resolve => watching.on("status", ({ code }) => resolve(code ?? -1)));
      watching.on("data", answer => seen.push(answer.status ?? "")).on("error", () => undefined);
      await until(() => seen.length > 0, "watching");
      await ending.close(30_000);
      assert.equal(await ended, status.OK);
      assert.deepEqual(seen, ["SERVING", "NOT_SERVING"]);
    } finally {
      health.close();
      await ending.close(0);
    }
  });

  it("lets an answer end at shutdown that is on its way", async () => {
    const rows = 300_000;
    const queue = { maxRows: rows, maxBytes: 4 * 1024 * 1024 };
    const ending = await TestSwitcher.startReady(affineConfig(folder.path, { queue }));
    const caller = new InferenceClient(ending.switcher.ports.grpc);
    try {
      assert.equal((await ending.pin("a", 4096)).status, 200);
      const inputs = [x({ shape: [rows, 2] })];
      const rawInputContents = [Buffer.alloc(8 * rows)];
      const answer = caller.call<ModelInferResponse__Output>("ModelInfer", request({ inputs, rawInputContents }));
      await until(async () => /served_rows_total\{.*\} 300000/.test(await ending.metrics()), "served");
      await ending.close(30_000);
      assert.equal((await answer).rawOutputContents[0]?.length, 8 * rows);
    } finally {
      caller.close();
      await ending.close(0);
    }
  });

  it("takes 1,000 connections over HTTP and 1,024 over gRPC, and closes others", async () => {
    const sockets: Socket[] = [];
    const { ports } = switcher.switcher;
    for (const [port, most] of [
      [ports.http, 1000],
      [ports.grpc, 1024],
    ] as const) {
      let [connected, closed] = [0, 0];
      const opened: Socket[] = [];
      while (opened.length < most + 10) {
        const socket = connect(port, "127.0.0.1").resume();
        socket.on("error", () => undefined);
        socket.on("connect", () => connected++).on("close", () => closed++);
        opened.push(socket);
        sockets.push(socket);
        // The system lets some hundred wait to be accepted, and others try again after seconds.
        if (opened.length % 50 === 0) await until(() => connected === opened.length, "connected");
      }
      // Clients that were connected before count too.
      await until(() => connected === opened.length && closed >= 10, "closed");
      const open = opened.length - closed;
      assert.ok(open <= most && open > most - 10, `${open} of port ${port}`);
    }
    for (const socket of sockets) socket.destroy();
  });

  it("survives connections that speak no gRPC", async () => {
    for (const bytes of ["GET / HTTP/1.1\r\n\r\n", Buffer.alloc(5000, 7), ""]) {
      const socket = connect(switcher.switcher.ports.grpc, "127.0.0.1");
      socket.on("error", () => undefined);
      await new Promise(resolve => socket.write(bytes, resolve));
      await new Promise(resolve => setTimeout(resolve, 20));
      socket.destroy();
    }
    assert.deepEqual(await client.call("ServerLive"), { live: true });
  });
});

interface HealthClient {
  check(
    request: { service: string },
    callback: (error: { code: number } | null, answer?: { status: string }) => void,
  ): void;
  watch(request: { service: string }): ClientReadableStream<{ status?: string }>;
  close(): void;
}

function healthClient(port: number): HealthClient {
  const { grpc } = loadPackageDefinition(loadSync(protoPath, { enums: String })) as never as {
    grpc: { health: { v1: { Health: new (...args: unknown[]) => HealthClient } } };
  };
  return new grpc.health.v1.Health(`127.0.0.1:${port}`, credentials.createInsecure());
}
