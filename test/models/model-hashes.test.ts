import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import { findWrongModels } from "../../models/model-hashes.ts";

const CONTRACT = `{ inputs: [{ name: x, datatype: FP32, shape: [-1, 2] }], outputs: [{ name: y, datatype: FP32, shape: [-1, 2] }] }`;

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function pipelineOf(variants: string) {
  const parsed = parsePipelineFile(
    `apiVersion: variscale.dev/v1alpha1
kind: InferencePipeline
metadata: { name: p }
spec:
  slo: { latencyMs: 100 }
  stages:
    - { name: s, defaultVariant: right, contract: ${CONTRACT}, variants: [${variants}] }`,
    () => null,
  );
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.pipeline;
}

describe("hashes of model files", () => {
  let folder = "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-hashes-"));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("names every variant whose file is another one or is missing, with both hashes and what to do", async () => {
    writeFileSync(join(folder, "right.onnx"), "right");
    writeFileSync(join(folder, "new.onnx"), "retrained");
    const wrong = await findWrongModels(
      pipelineOf(`{ name: right, model: right.onnx, sha256: ${sha256("right")} },
        { name: stale, model: new.onnx, sha256: ${sha256("as it was")} },
        { name: gone, model: gone.onnx, sha256: ${sha256("gone")} },
        { name: fake, driver: emulated, model: no.onnx, sha256: ${sha256("no")} },
        { name: far, driver: remote, model: far, url: "http://127.0.0.1:1" }`),
      folder,
    );
    assert.deepEqual(
      wrong.map(({ variant, found }) => [variant, found]),
      [
        ["stale", sha256("retrained")],
        ["gone", null],
      ],
    );
    assert.match(wrong[0]?.message ?? "", new RegExp(`new.onnx of variant s/stale has sha256 ${sha256("retrained")}`));
    assert.match(wrong[0]?.message ?? "", new RegExp(`says ${sha256("as it was")}.*variscale profile`));
    assert.match(wrong[1]?.message ?? "", /gone.onnx of variant s\/gone can't be read: ENOENT.*Copy it there/);
  });

  it("finds nothing where every file is the one that is named", async () => {
    writeFileSync(join(folder, "right.onnx"), "right");
    const pipeline = pipelineOf(`{ name: right, model: right.onnx, sha256: ${sha256("right")} }`);
    assert.deepEqual(await findWrongModels(pipeline, folder), []);
  });
});
