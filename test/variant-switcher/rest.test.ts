import assert from "node:assert/strict";
import { deflateSync, gzipSync } from "node:zlib";
import { after, before, describe, it } from "mocha";
import { writeModel } from "../support/models.ts";
import { encodeModel } from "../support/onnx-model.ts";
import { affineConfig, errorOf, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

describe("Open Inference Protocol V2 REST", () => {
  const folder = new TestFolder();
  let switcher: TestSwitcher;
  const post = (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    switcher.http(path, { method: "POST", body, headers });
  const x = (data: unknown, shape: unknown = [1, 2], more: object = {}) => ({
    name: "x",
    datatype: "FP32",
    shape,
    data,
    ...more,
  });

  before(async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
  });
  after(async () => {
    await switcher.close();
    folder.delete();
  });

  it("describes the server, its health and the model", async () => {
    const json = async (path: string) => (await switcher.http(path)).json();
    assert.deepEqual(((await json("/v2")) as { extensions: string[] }).extensions, [
      "binary_tensor_data",
      "model_repository",
      "statistics",
    ]);
    assert.deepEqual(await json("/v2/health/live"), { live: true });
    assert.deepEqual(await json("/v2/health/ready"), { ready: true });
    assert.deepEqual(await json("/v2/models/affine"), {
      name: "affine",
      versions: ["a", "b", "c"],
      platform: "onnxruntime_onnx",
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }],
    });
    assert.deepEqual(await json("/v2/models/affine/ready"), { name: "affine", ready: true });
    assert.equal((await switcher.http("/v2/models/affine/versions/a/ready")).status, 200);
    assert.equal((await switcher.http("/v2/models/affine/versions/b/ready")).status, 503);
  });

  it("answers 404 to what is not there and 405 to the wrong method", async () => {
    for (const path of ["/", "/v2/models/other", "/v2/models/other/ready", "/v2/models/affine/versions/z"])
      assert.equal((await switcher.http(path)).status, 404, path);
    assert.equal((await post("/v2/models/other/infer", "{}")).status, 404);
    assert.equal((await post("/v2/models/affine/versions/z/infer", "{}")).status, 404);
    const get = await switcher.http("/v2/models/affine/infer");
    assert.equal(get.status, 405);
    assert.equal(get.headers.get("allow"), "POST");
    assert.equal((await post("/v2/models/affine", "{}")).status, 405);
  });

  it("answers JSON with JSON, flat or nested, names the variant and echoes the id", async () => {
    for (const data of [
      [1, 2, 3, 4],
      [
        [1, 2],
        [3, 4],
      ],
    ]) {
      const response = await post("/v2/models/affine/infer", JSON.stringify({ id: "7", inputs: [x(data, [2, 2])] }));
      assert.equal(response.headers.get("content-type"), "application/json");
      const { parameters, ...answer } = (await response.json()) as { parameters: Record<string, unknown> };
      const { row_ms: rowMs, ...told } = parameters;
      assert.deepEqual(told, { variant: "a", why: "top", queued_rows: 0 });
      assert.equal(typeof rowMs, "number");
      assert.deepEqual(answer, {
        model_name: "affine",
        model_version: "a",
        id: "7",
        outputs: [{ name: "y", datatype: "FP32", shape: [2, 2], data: [3, 5, 7, 9] }],
      });
    }
  });

  it("takes and gives binary data", async () => {
    const header = JSON.stringify({
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], parameters: { binary_data_size: 8 } }],
      parameters: { binary_data_output: true },
    });
    const body = Buffer.concat([Buffer.from(header), Buffer.from(new Float32Array([1, 2]).buffer)]);
    const response = await post("/v2/models/affine/infer", new Uint8Array(body), {
      "inference-header-content-length": String(header.length),
    });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/octet-stream");
    const bytes = Buffer.from(await response.arrayBuffer());
    const headerBytes = Number(response.headers.get("inference-header-content-length"));
    const json = JSON.parse(bytes.subarray(0, headerBytes).toString());
    assert.deepEqual(json.outputs, [
      { name: "y", datatype: "FP32", shape: [1, 2], parameters: { binary_data_size: 8 } },
    ]);
    assert.deepEqual(new Float32Array(new Uint8Array(bytes.subarray(headerBytes)).buffer), new Float32Array([3, 5]));
  });

  it("never mixes up requests that share batches and memory", async () => {
    assert.equal((await switcher.pin("a", 3)).status, 200);
    const infer = async (rows: number, seed: number) => {
      const values = Float32Array.from({ length: 2 * rows }, (_, i) => seed + i / 64);
      const header = JSON.stringify({
        inputs: [{ name: "x", datatype: "FP32", shape: [rows, 2], parameters: { binary_data_size: 8 * rows } }],
        parameters: { binary_data_output: true },
      });
      const body = new Uint8Array(Buffer.concat([Buffer.from(header), Buffer.from(values.buffer)]));
      const response = await post("/v2/models/affine/infer", body, {
        "inference-header-content-length": String(header.length),
      });
      const bytes = Buffer.from(await response.arrayBuffer());
      const outputs = bytes.subarray(Number(response.headers.get("inference-header-content-length")));
      assert.deepEqual(
        new Float32Array(new Uint8Array(outputs).buffer),
        values.map(x => 2 * x + 1),
      );
    };
    await Promise.all(Array.from({ length: 150 }, (_, i) => infer(1 + ((i * 7) % 9), i)));
    await switcher.admin("assignment", { method: "DELETE", headers: { "if-match": "*" } });
  });

  it("gives only the outputs that were asked for, each in its own form", async () => {
    const inputs = [x([1, 2])];
    const outputs = [{ name: "y", parameters: { binary_data: true } }];
    const response = await post("/v2/models/affine/infer", JSON.stringify({ inputs, outputs }));
    assert.ok(response.headers.get("inference-header-content-length"));
    const unknown = await post("/v2/models/affine/infer", JSON.stringify({ inputs, outputs: [{ name: "z" }] }));
    assert.equal(unknown.status, 400);
    assert.match(await errorOf(unknown), /no output "z"; the outputs are y/);
  });

  it("serves a named version only while it is served", async () => {
    const body = JSON.stringify({ inputs: [x([1, 2])] });
    assert.equal((await post("/v2/models/affine/versions/a/infer", body)).status, 200);
    const other = await post("/v2/models/affine/versions/b/infer", body);
    assert.equal(other.status, 409);
    assert.match(await errorOf(other), /b is not served, a is/);
  });

  const refused: readonly [string, object | string, RegExp][] = [
    ["no JSON", "{", /the request is no JSON/],
    ["no object", "[]", /must be a JSON object/],
    ["no inputs", {}, /inputs must be an array/],
    ["a missing input", { inputs: [] }, /input "x" is missing/],
    ["an unknown input", { inputs: [{ ...x([1, 2]), name: "q" }] }, /no input "q"; the inputs are x/],
    ["an input given twice", { inputs: [x([1, 2]), x([1, 2])] }, /given twice/],
    ["another datatype", { inputs: [{ ...x([1, 2]), datatype: "INT8" }] }, /"INT8", it must be FP32/],
    [
      "a shape that is not the contract's",
      { inputs: [x([1, 2, 3], [1, 3])] },
      /the shape is \[1,3\], it must be \[-1,2\]/,
    ],
    ["no rows", { inputs: [x([], [0, 2])] }, /at least 1/],
    ["too little data", { inputs: [x([1], [1, 2])] }, /data has 1 elements, its shape says 2/],
    ["too much data", { inputs: [x([1, 2, 3], [1, 2])] }, /more than the 2 elements/],
    ["text for a number", { inputs: [x([1, "2"])] }, /must be numbers, found "2"/],
    ["a number that FP32 can't hold", { inputs: [x([1, 1e39])] }, /does not fit into FP32/],
    ["a huge shape", { inputs: [x([1], [2 ** 53 - 1, 2])] }, /too large/],
    [
      "binary data without its header",
      { inputs: [x(undefined, [1, 2], { parameters: { binary_data_size: 8 } })] },
      /Inference-Header-Content-Length/,
    ],
    ["a timeout of 0", { inputs: [x([1, 2])], parameters: { timeout_ms: 0 } }, /timeout_ms is 0/],
    ["an id that is no text", { id: 7, inputs: [x([1, 2])] }, /id must be text/],
  ];
  it("answers 413 to more rows than the queue holds", async () => {
    const body = JSON.stringify({ inputs: [x(Array(4000).fill(0), [2000, 2])] });
    const response = await post("/v2/models/affine/infer", body);
    assert.equal(response.status, 413);
    assert.match(await errorOf(response), /2000 rows in one request, at most 1024/);
  });

  for (const [name, body, message] of refused)
    it(`answers 400 to ${name}`, async () => {
      const response = await post("/v2/models/affine/infer", typeof body === "string" ? body : JSON.stringify(body));
      assert.equal(response.status, 400);
      assert.match(await errorOf(response), message);
    });

  it("takes compressed bodies, and refuses what is none or grows too large", async () => {
    const body = Buffer.from(JSON.stringify({ inputs: [x([1, 2])] }));
    const send = (bytes: Buffer, encoding: string) =>
      post("/v2/models/affine/infer", new Uint8Array(bytes), { "content-encoding": encoding });
    assert.equal((await send(gzipSync(body), "gzip")).status, 200);
    assert.equal((await send(deflateSync(body), "deflate")).status, 200);
    for (const [bytes, encoding, status, message] of [
      [body, "gzip", 400, /the body is no gzip: incorrect header/],
      [gzipSync(Buffer.alloc(6 * 1024 * 1024)), "gzip", 413, /has more than the \d+ bytes that there is room for/],
      [body, "br", 400, /Content-Encoding br is not known/],
    ] as const) {
      const response = await send(bytes, encoding);
      assert.equal(response.status, status);
      assert.match(await errorOf(response), message);
    }
  });

  it("answers 413 to a body over the limit", async () => {
    const large = await post("/v2/models/affine/infer", new Uint8Array(6 * 1024 * 1024));
    assert.equal(large.status, 413);
  });

  it("answers 400 to a shape that no memory is large enough for", async () => {
    const inputs = [{ ...x([1]), shape: [2_147_483_648, 2] }];
    const response = await post("/v2/models/affine/infer", JSON.stringify({ inputs }));
    assert.equal(response.status, 400);
    assert.match(await errorOf(response), /input "x": data has 1 elements, its shape says 4294967296/);
  });

  it("answers 500 where what the model gives breaks the contract", async () => {
    const model = encodeModel({
      inputs: [{ name: "x", type: "FP32", shape: ["rows", 2] }],
      outputs: [{ name: "y", type: "FP32", shape: ["small", 2] }],
      nodes: [
        { op: "ReduceMean", inputs: ["x"], outputs: ["mean"], attributes: { axes: [1], keepdims: 0 } },
        { op: "Less", inputs: ["mean", "limit"], outputs: ["small"] },
        { op: "NonZero", inputs: ["small"], outputs: ["places"] },
        { op: "Transpose", inputs: ["places"], outputs: ["column"] },
        { op: "Cast", inputs: ["column"], outputs: ["numbers"], attributes: { to: 1 } },
        { op: "Concat", inputs: ["numbers", "numbers"], outputs: ["y"], attributes: { axis: 1 } },
      ],
      weights: { limit: { shape: [1], values: [100] } },
    });
    const variants = [writeModel(folder.path, "lossy", model)];
    const lossy = await TestSwitcher.startReady(affineConfig(folder.path, { variants, defaultVariant: "lossy" }));
    try {
      assert.equal((await lossy.infer([99])).status, 200);
      const { status, body } = await lossy.infer([101]);
      assert.equal(status, 500);
      assert.match(body.error ?? "", /the output "y" has the shape \[0,2\] for 1 rows/);
      assert.match(await lossy.metrics(), /dropped_rows_total\{stage="affine",reason="bad_outputs"\} 1\n/);
    } finally {
      await lossy.close();
    }
  });

  it("gives statistics of all variants and of one", async () => {
    type Stats = { model_stats: { version: string; inference_stats: { success: { count: number; ns: number } } }[] };
    const read = async (path: string) => (await (await switcher.http(path)).json()) as Stats;
    for (const path of ["/v2/models/stats", "/v2/models/affine/stats"])
      assert.deepEqual(
        (await read(path)).model_stats.map(({ version }) => version),
        ["a", "b", "c"],
      );
    const [a] = (await read("/v2/models/affine/versions/a/stats")).model_stats;
    assert.ok((a?.inference_stats.success.count ?? 0) > 0 && (a?.inference_stats.success.ns ?? 0) > 0);
  });
});
