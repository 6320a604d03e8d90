import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { describeOnnx } from "../../../cli/init/describe-onnx.ts";
import { checkWritable } from "../../../profiler/write-whole.ts";
import { affineModel } from "../../support/models.ts";

describe("models that init can't load", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-init-"));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const refuses = async (name: string, bytes: Uint8Array, told: RegExp): Promise<void> => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    await assert.rejects(describeOnnx(path), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, told);
      assert.doesNotMatch(error.message, /onnxruntime::|\.cc:\d|\.h:\d/);
      assert.doesNotMatch(error.message, /external data/);
      return true;
    });
  };

  it("are told apart: no ONNX file, cut short, too new an IR version or operator set, an operator that there is not", async () => {
    const model = Buffer.from(affineModel(2, 1));
    await refuses("model.py", Buffer.from("print(1)\n"), /Name an ONNX file: export the model with skl2onnx/);
    await refuses("cut.onnx", model.subarray(0, 60), /cut short or is another format/);
    const newIr = Buffer.from(model);
    newIr[1] = 99;
    await refuses("ir.onnx", newIr, /Unsupported model IR version: 99.*`model\.ir_version = \d+`/s);
    const newOpset = Buffer.from(model);
    const at = newOpset.findLastIndex((byte, i) => newOpset[i - 1] === 0x10 && byte > 5 && byte < 30);
    newOpset[at] = 99;
    await refuses("opset.onnx", newOpset, /Opset 99 .*`target_opset=\d+`/s);
    const custom = Buffer.from(model.toString("latin1").replace("Mul", "Mux"), "latin1");
    await refuses("custom.onnx", custom, /No Op registered for Mux.*without custom operators/s);
  });

  it("are no reason to make room where there is no folder for the result", () => {
    assert.throws(() => checkWritable(join(folder, "none", "x.json")), /There is no such folder: make it/);
  });
});
