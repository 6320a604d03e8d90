import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { findUnfit } from "../../domain/memory-fit.ts";
import { variantTimesOf } from "../../profiler/variant-times.ts";
import { type VariantVisit, visitVariant } from "../../profiler/visit-variant.ts";
import { AFFINE_CONTRACT, writeModel } from "../support/models.ts";
import { encodeModel } from "../support/onnx-model.ts";
import { TestFolder } from "../support/switcher-harness.ts";

/** The model makes so many numbers of each row before it takes their mean: 4 MiB. */
const COLUMNS = 1024 * 1024;
const ROW_MIB = 4;
const LARGEST = 16;

const WIDE = encodeModel({
  inputs: [{ name: "x", type: "FP32", shape: ["rows", 2] }],
  outputs: [{ name: "y", type: "FP32", shape: ["rows", 2] }],
  nodes: [
    { op: "MatMul", inputs: ["x", "wide"], outputs: ["numbers"] },
    { op: "ReduceMean", inputs: ["numbers"], outputs: ["mean"], attributes: { axes: [1], keepdims: 1 } },
    { op: "Add", inputs: ["x", "mean"], outputs: ["y"] },
  ],
  weights: { wide: { shape: [2, COLUMNS], values: new Array<number>(2 * COLUMNS).fill(1) } },
});

const ROWS = Array.from({ length: 5 }, (_, i) => ({
  x: { datatype: "FP32" as const, shape: [2], data: new Float32Array([i, 1]) },
}));

describe("the memory of a session", function () {
  this.timeout(120_000);

  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  const visit = (batches: readonly number[], known: readonly number[] = []): Promise<VariantVisit> => {
    const { model, sha256 } = writeModel(folder.path, "wide", WIDE);
    return visitVariant(
      { kind: "file", path: `${folder.path}/${model}`, sha256, contract: AFFINE_CONTRACT, threads: 1 },
      ROWS,
      { label: "only/wide", windowMs: 1, batches, known, onPoint: () => undefined, onRefused: () => undefined },
    );
  };

  it("is that after its largest batch, by which plans know what fits into a pod", async () => {
    const single = await visit([1]);
    const all = await visit([1, LARGEST]);
    const grownMiB = (all.memoryMiB ?? 0) - (single.memoryMiB ?? 0);
    assert.ok(grownMiB > 0.9 * (LARGEST - 1) * ROW_MIB, `${single.memoryMiB} MiB became ${all.memoryMiB} MiB`);

    const { profile } = variantTimesOf([single, all], 1);
    const sessionMiB = profile.memoryMiB ?? 0;
    assert.ok(Math.abs(sessionMiB - (all.memoryMiB ?? 0)) < 0.001, `${sessionMiB}`);
    const stage = { name: "only", defaultVariant: "wide", memoryMiB: 60 + Math.ceil(single.memoryMiB ?? 0) + 8 };
    const unfit = findUnfit({ ...stage, variants: [{ name: "wide", sessionMiB }] });
    assert.deepEqual(
      unfit.map(({ variant }) => variant),
      ["wide"],
    );
  });

  it("is measured again only where a visit has other batches than those before", async () => {
    assert.equal((await visit([1], [1, LARGEST])).memoryMiB, null);
    const larger = await visit([2], [1, LARGEST]);
    assert.ok((larger.memoryMiB ?? 0) > LARGEST * ROW_MIB, `${larger.memoryMiB}`);
  });
});
