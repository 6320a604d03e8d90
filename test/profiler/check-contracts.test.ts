import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { checkContracts, findRefused } from "../../profiler/check-contracts.ts";
import { runProfile } from "../../profiler/main.ts";
import { readUnmeasured } from "../../profiler/read-unmeasured.ts";
import { runVariscale } from "../cli/support/run-variscale.ts";
import { writeOffsetPipeline } from "./offset-pipeline.ts";

describe("contracts of models", function () {
  this.timeout(60_000);

  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = writeOffsetPipeline();
    file = join(folder, "pipeline.yaml");
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const edit = (from: string, to: string) => writeFileSync(file, readFileSync(file, "utf8").replace(from, to));

  it("are kept by models that a switcher would serve", async () => {
    assert.deepEqual(await findRefused(readUnmeasured(file), folder), []);
  });

  it("name file, variant, tensor, what was expected and what was found, of every variant", async () => {
    edit(
      "outputs: [{ name: y, datatype: FP32, shape: [-1, 2] }]",
      "outputs: [{ name: y, datatype: FP32, shape: [-1, 3] }]",
    );
    const refused = await findRefused(readUnmeasured(file), folder);
    assert.deepEqual(
      refused.map(({ stage, variant, code }) => [stage, variant, code]),
      [
        ["first", "light", "contract_mismatch"],
        ["first", "heavy", "contract_mismatch"],
      ],
    );
    assert.match(
      refused[0]?.message ?? "",
      /^first\/light \(.*first-light\.onnx\): the output "y" has the shape \[-1,2\], the contract says \[-1,3\]\.$/,
    );
    assert.match(refused[0]?.fix ?? "", /^Correct `contract` of stage first/);
    await assert.rejects(checkContracts(readUnmeasured(file), folder), /first\/light .*\nfirst\/heavy /);
  });

  it("are checked by profile before anything is measured, and nothing is written", async () => {
    edit("inputs: [{ name: x, datatype: FP32", "inputs: [{ name: x, datatype: FP64");
    const lines: string[] = [];
    await assert.rejects(runProfile({ target: folder, modelFolder: folder, onProgress: line => lines.push(line) }), {
      code: "failed_precondition",
      message: /the input "x" is FP32, the contract says FP64\./,
    });
    assert.deepEqual([lines, existsSync(join(folder, "measurements.json"))], [[], false]);
  });

  it("are not kept by a model that can't be loaded: profile says so before it measures the others", async () => {
    const bytes = readFileSync(join(folder, "first-heavy.onnx")).subarray(0, 60);
    const sha256 = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");
    edit(sha256(readFileSync(join(folder, "first-heavy.onnx"))), sha256(bytes));
    writeFileSync(join(folder, "first-heavy.onnx"), bytes);
    const lines: string[] = [];
    await assert.rejects(runProfile({ target: folder, modelFolder: folder, onProgress: line => lines.push(line) }), {
      code: "failed_precondition",
      message: /^first\/heavy \(.*first-heavy\.onnx\): .*it is cut off.* Export it again, or copy it whole\.$/,
    });
    assert.deepEqual(lines, []);
  });

  it("are checked by up before anything is started", async () => {
    edit("name: y, datatype: FP32", "name: z, datatype: FP32");
    const { status, stderr } = await runVariscale(["up", folder, "--model-folder", folder, "--port", "0"]);
    assert.equal(status, 1);
    assert.match(stderr, /the output "z" is missing\. Correct `contract` of stage first/);
  });
});
