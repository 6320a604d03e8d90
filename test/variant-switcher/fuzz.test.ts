import assert from "node:assert/strict";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import type { StageContract } from "../../domain/tensor.ts";
import { usesExternalData } from "../../variant-switcher/external-data.ts";
import type { InferRequest } from "../../variant-switcher/infer-request.ts";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import { RestReader } from "../../variant-switcher/rest-reader.ts";
import { parseRestRequest } from "../../variant-switcher/rest-request.ts";
import { InferenceClient } from "../support/inference-client.ts";
import { affineModel } from "../support/models.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

const CONTRACT: StageContract = {
  inputs: [
    { name: "x", datatype: "FP32", shape: [-1, 2] },
    { name: "ids", datatype: "INT64", shape: [-1, -1] },
  ],
  outputs: [{ name: "y", datatype: "FP16", shape: [-1, 2] }],
};

/** JSON that is near to a request, so that more than the first check is reached. */
const nearRequest = fc.record(
  {
    id: fc.oneof(fc.string(), fc.jsonValue()),
    parameters: fc.oneof(fc.record({ timeout_ms: fc.jsonValue(), binary_data_output: fc.jsonValue() }), fc.jsonValue()),
    inputs: fc.oneof(
      fc.array(
        fc.record(
          {
            name: fc.oneof(fc.constantFrom("x", "ids", "y", "__proto__"), fc.jsonValue()),
            datatype: fc.oneof(fc.constantFrom("FP32", "INT64", "BYTES"), fc.jsonValue()),
            shape: fc.oneof(
              fc.array(fc.oneof(fc.integer({ min: -1, max: 3 }), fc.double()), { maxLength: 4 }),
              fc.jsonValue(),
            ),
            data: fc.oneof(fc.array(fc.oneof(fc.double(), fc.jsonValue())), fc.jsonValue()),
            parameters: fc.oneof(fc.record({ binary_data_size: fc.oneof(fc.nat(40), fc.jsonValue()) }), fc.jsonValue()),
          },
          { requiredKeys: [] },
        ),
        { maxLength: 4 },
      ),
      fc.jsonValue(),
    ),
    outputs: fc.oneof(fc.array(fc.record({ name: fc.oneof(fc.constant("y"), fc.jsonValue()) })), fc.jsonValue()),
  },
  { requiredKeys: [] },
);

describe("fuzzing the switcher", () => {
  const folder = new TestFolder();
  let switcher: TestSwitcher;

  before(async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
  });
  after(async () => {
    await switcher.close();
    folder.delete();
  });

  it("parses any infer request or says invalid_argument", () => {
    const bytes = fc.oneof(
      fc.uint8Array().map(array => Buffer.from(array)),
      fc
        .tuple(nearRequest, fc.uint8Array({ maxLength: 40 }))
        .map(([json, tail]) => Buffer.concat([Buffer.from(JSON.stringify(json)), tail])),
      nearRequest.map(json => Buffer.from(JSON.stringify(json))),
    );
    const header = fc.oneof(fc.constant(null), fc.integer({ min: -2, max: 400 }));
    fc.assert(
      fc.property(bytes, header, (body, headerBytes) => {
        try {
          const request = parseRestRequest(body, headerBytes, CONTRACT);
          assert.equal(request.inputs.length, 2);
          assert.ok(request.rows >= 1);
        } catch (error) {
          assert.ok(error instanceof VariscaleError, String(error));
          assert.equal(error.code, "invalid_argument");
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("reads requests one after the other as if each came alone", () => {
    const bool: StageContract = {
      inputs: [{ name: "b", datatype: "BOOL", shape: [-1, 2] }],
      outputs: CONTRACT.outputs,
    };
    const head = fc.record({
      id: fc.constantFrom("1", "2"),
      shape: fc.constantFrom([1, 2], [2, 2]),
      binary_data_size: fc.constantFrom(2, 4),
    });
    const request = fc.tuple(head, fc.uint8Array({ minLength: 2, maxLength: 4, max: 2 }), fc.constantFrom(0, 0, 0, 1));
    const outcome = (read: () => InferRequest): unknown => {
      try {
        const { inputs, ...others } = read();
        return {
          ...others,
          inputs: inputs.map(input => ({ ...input, bytes: Buffer.from(input.bytes).toString("hex") })),
        };
      } catch (error) {
        return error instanceof VariscaleError ? error.message : error;
      }
    };
    fc.assert(
      fc.property(fc.array(request, { minLength: 2, maxLength: 12 }), requests => {
        const reader = new RestReader(bool, () => Number.POSITIVE_INFINITY);
        const memory = Buffer.alloc(1000);
        for (const [{ id, shape, binary_data_size }, bytes, cut] of requests) {
          const input = { name: "b", datatype: "BOOL", shape, parameters: { binary_data_size } };
          const json = Buffer.from(JSON.stringify({ id, inputs: [input] }));
          // The same memory each time, as the server's.
          const length = Buffer.concat([json, bytes]).copy(memory);
          const body = memory.subarray(0, length);
          assert.deepEqual(
            outcome(() => reader.read(body, json.length - cut, () => null)),
            outcome(() => parseRestRequest(body, json.length - cut, bool)),
          );
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("answers any infer request, and never with 500", async () => {
    const valid = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] };
    const body = fc.oneof(
      fc.uint8Array(),
      nearRequest.map(json => Buffer.from(JSON.stringify(json))),
      fc.constant(Buffer.from(JSON.stringify(valid))),
    );
    const headers = fc.record(
      {
        "inference-header-content-length": fc.oneof(fc.nat(200).map(String), fc.constantFrom("", "-1", "1e3", "x")),
        "x-request-timeout-ms": fc.oneof(fc.nat(5000).map(String), fc.constantFrom("", "-1", "NaN")),
        "content-encoding": fc.constantFrom("gzip", "deflate", "br", "identity"),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(body, headers, async (bytes, given) => {
        const response = await switcher.http("/v2/models/affine/infer", {
          method: "POST",
          headers: given,
          body: new Uint8Array(bytes),
        });
        await response.arrayBuffer();
        assert.ok([200, 400, 504].includes(response.status), String(response.status));
      }),
      { numRuns: 300 },
    );
    assert.equal((await switcher.infer([1])).status, 200);
  });

  it("answers any gRPC request with a status that says whose fault it is", async () => {
    const client = new InferenceClient(switcher.switcher.ports.grpc);
    const small = fc.oneof(
      fc.integer({ min: -1, max: 3 }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    );
    const parameter = fc.oneof(
      fc.record({ int64Param: small }),
      fc.record({ stringParam: fc.string() }),
      fc.record({ doubleParam: fc.double() }),
      fc.record({ boolParam: fc.boolean() }),
    );
    const input = fc.record(
      {
        name: fc.constantFrom("x", "q", ""),
        datatype: fc.constantFrom("FP32", "INT8", ""),
        shape: fc.array(small, { maxLength: 3 }),
        contents: fc.record({ fp32Contents: fc.array(fc.float(), { maxLength: 5 }) }),
      },
      { requiredKeys: [] },
    );
    const request = fc.record(
      {
        modelName: fc.constantFrom("affine", "affine", "affine", "other", ""),
        modelVersion: fc.constantFrom("", "", "a", "b", "z"),
        id: fc.string({ maxLength: 300 }),
        parameters: fc.dictionary(fc.constantFrom("timeout", "timeout_ms", "priority"), parameter),
        inputs: fc.array(input, { maxLength: 2 }),
        outputs: fc.array(fc.record({ name: fc.constantFrom("y", "z") }), { maxLength: 2 }),
        rawInputContents: fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 2 }),
      },
      { requiredKeys: [] },
    );
    // OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ABORTED.
    const good = [0, 3, 4, 5, 10];
    const valid = { modelName: "affine", inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }] };
    const codes = new Set<number>();
    await fc.assert(
      fc.asyncProperty(request, fc.boolean(), async (any, isNearlyValid) => {
        const message = isNearlyValid ? { ...any, ...valid, rawInputContents: [new Uint8Array(8)] } : any;
        const code = await client.call("ModelInfer", message).then(
          () => 0,
          (error: { code: number }) => error.code,
        );
        codes.add(code);
        assert.ok(good.includes(code), String(code));
      }),
      { numRuns: 500 },
    );
    assert.ok(codes.has(0) && codes.has(3) && codes.has(5), [...codes].join());
    client.close();
  });

  it("answers any path and method, and never with 500", async () => {
    const segment = fc.constantFrom(
      "v2",
      "models",
      "repository",
      "index",
      "load",
      "stats",
      "affine",
      "versions",
      "a",
      "infer",
      "ready",
      "health",
      "admin",
      "v1",
      "assignment",
      "variants",
      "%zz",
      "..",
      "",
    );
    const path = fc.array(segment, { maxLength: 6 }).map(parts => `/${parts.join("/")}`);
    const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS");
    await fc.assert(
      fc.asyncProperty(path, method, fc.jsonValue(), async (where, how, json) => {
        const init = {
          method: how,
          ...(how !== "GET" && { body: JSON.stringify(json), headers: { "if-match": "*" } }),
        };
        for (const port of [switcher.switcher.ports.http, switcher.switcher.ports.admin]) {
          const response = await fetch(`http://127.0.0.1:${port}${where}`, init);
          await response.arrayBuffer();
          assert.ok(response.status < 500, `${how} ${where}: ${response.status}`);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("answers any pin, and never with 500", async () => {
    const pin = fc.oneof(
      fc.jsonValue(),
      fc.record({
        variant: fc.oneof(fc.constantFrom("a", "b"), fc.jsonValue()),
        batch: fc.jsonValue(),
        ttlMs: fc.jsonValue(),
      }),
    );
    await fc.assert(
      fc.asyncProperty(pin, async json => {
        const init = { method: "PUT", headers: { "if-match": "*" }, body: JSON.stringify(json) };
        const response = await switcher.admin("assignment", init);
        await response.arrayBuffer();
        assert.ok([200, 400].includes(response.status), String(response.status));
      }),
      { numRuns: 200 },
    );
    assert.equal((await switcher.infer([1])).status, 200);
  });

  it("reads any configuration or says invalid_argument", () => {
    const valid = affineConfig(folder.path);
    const change = fc.tuple(fc.constantFrom(...Object.keys(valid), "more"), fc.jsonValue());
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), changes => {
        try {
          parseSwitcherConfig({ ...valid, ...Object.fromEntries(changes) });
        } catch (error) {
          assert.ok(error instanceof VariscaleError, String(error));
          assert.match(error.message, /^switcher configuration: /);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("looks through any bytes for external data without breaking", () => {
    const model = affineModel(2, 1);
    const damage = fc.array(fc.tuple(fc.nat(model.length - 1), fc.nat(255)), { maxLength: 8 });
    fc.assert(
      fc.property(damage, fc.nat(model.length), (changes, length) => {
        const bytes = Buffer.from(model.subarray(0, length));
        for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
        try {
          assert.equal(typeof usesExternalData(bytes), "boolean");
        } catch (error) {
          assert.ok(error instanceof Error && !(error instanceof RangeError), String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
