import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { InferenceClient } from "../support/inference-client.ts";
import { affineConfig, errorOf, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

const MAX_BYTES = 1024 * 1024;
const ROWS = 1 + MAX_BYTES / 8;

describe("a request that the queue has never room for", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;

  beforeEach(async () => {
    folder = new TestFolder();
    const queue = { maxRows: 1_000_000, maxBytes: MAX_BYTES };
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, { queue }));
  });
  afterEach(async () => {
    await switcher.close();
    folder.delete();
  });

  const x = { name: "x", datatype: "FP32", shape: [ROWS, 2] };
  const limit = /the inputs have 1048584 bytes, at most 1048576 \(queue\.maxBytes\) can be served/;

  it("is answered with 413 by REST, and not to be tried again", async () => {
    const head = JSON.stringify({ inputs: [{ ...x, parameters: { binary_data_size: 8 * ROWS } }] });
    const response = await fetch(switcher.inferUrl, {
      method: "POST",
      headers: { "inference-header-content-length": String(head.length) },
      body: new Uint8Array(Buffer.concat([Buffer.from(head), Buffer.alloc(8 * ROWS)])),
    });
    assert.deepEqual([response.status, response.headers.get("retry-after")], [413, null]);
    assert.match(await errorOf(response), limit);
  });

  it("is answered with INVALID_ARGUMENT by gRPC, and not to be tried again", async () => {
    const client = new InferenceClient(switcher.switcher.ports.grpc);
    try {
      const message = { modelName: "affine", inputs: [x], rawInputContents: [Buffer.alloc(8 * ROWS)] };
      const [code, details, metadata] = await client.failure("ModelInfer", message);
      assert.deepEqual([code, metadata.get("grpc-retry-pushback-ms")], [status.INVALID_ARGUMENT, []]);
      assert.match(details, limit);
    } finally {
      client.close();
    }
  });
});
