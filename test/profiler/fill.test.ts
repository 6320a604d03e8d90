import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Datatype, TensorData } from "../../domain/tensor.ts";
import type { Row } from "../../gateway/stage.ts";
import { sameRow } from "../../profiler/model-session.ts";
import { visitVariant } from "../../profiler/visit-variant.ts";
import { FakeModelServer } from "../support/fake-model-server.ts";
import { AFFINE_CONTRACT, affineModel, writeModel } from "../support/models.ts";
import { encodeModel } from "../support/onnx-model.ts";
import { TestFolder } from "../support/switcher-harness.ts";

const ROWS = Array.from({ length: 16 }, (_, i) => ({
  x: { datatype: "FP32" as const, shape: [2], data: new Float32Array([i, 2 * i + 1]) },
}));

/** Takes the mean of a batch's rows from each. */
const MIXING = encodeModel({
  inputs: [{ name: "x", type: "FP32", shape: ["rows", 2] }],
  outputs: [{ name: "y", type: "FP32", shape: ["rows", 2] }],
  nodes: [
    { op: "ReduceMean", inputs: ["x"], outputs: ["mean"], attributes: { axes: [0], keepdims: 1 } },
    { op: "Sub", inputs: ["x", "mean"], outputs: ["y"] },
  ],
  weights: {},
});

describe("the fill of batches", function () {
  this.timeout(60_000);

  let folder: TestFolder;
  let refused: string[];
  const options = () => ({
    ...{ label: "only/x", windowMs: 5, batches: null, onPoint: () => undefined },
    onRefused: (batch: number, message: string) => refused.push(`${batch}: ${message}`),
  });
  const visitFile = (bytes: Buffer, rows: readonly Row[] = ROWS) => {
    const { model, sha256 } = writeModel(folder.path, "x", bytes);
    const source = {
      kind: "file",
      path: `${folder.path}/${model}`,
      sha256,
      contract: AFFINE_CONTRACT,
      threads: 1,
    } as const;
    return visitVariant(source, rows, options());
  };

  beforeEach(() => {
    folder = new TestFolder();
    refused = [];
  });
  afterEach(() => folder.delete());

  it("is whole where every row has the outputs that it has alone", async () => {
    const { windows } = await visitFile(affineModel(2, 1));
    assert.deepEqual(
      windows.slice(0, 3).map(({ batch, fill }) => [batch, fill]),
      [
        [1, null],
        [2, 1],
        [4, 1],
      ],
    );
  });

  it("leaves out batches of a model that mixes their rows", async () => {
    const { windows } = await visitFile(MIXING);
    assert.deepEqual(
      windows.map(({ batch }) => batch),
      [1],
    );
    assert.deepEqual(refused, ["2: 0 % of its rows have the outputs that they have alone"]);
  });

  it("looks at all rows, not only at those of one batch", async () => {
    const one = { datatype: "FP32" as const, shape: [2], data: new Float32Array([1, 1]) };
    // Only what is in a batch with the first row comes out differently.
    const rows = ROWS.map((row, i) => (i === 0 ? row : { x: one }));
    const { windows } = await visitFile(MIXING, rows);
    assert.deepEqual(
      windows.map(({ batch, fill }) => [batch, fill]),
      [
        [1, null],
        [2, 14 / 16],
      ],
    );
    assert.deepEqual(refused, ["4: 75 % of its rows have the outputs that they have alone"]);
  });

  it("leaves out batches that a server answers with one row", async () => {
    const server = await FakeModelServer.start();
    try {
      const source = { kind: "remote", url: server.url, model: "x", contract: AFFINE_CONTRACT } as const;
      const { windows } = await visitVariant(source, ROWS, options());
      assert.equal(windows.length, 1);
      assert.match(refused.join(), /^2: 0 % of its rows/);
    } finally {
      await server.close();
    }
  });
});

describe("sameRow()", () => {
  const same = (datatype: Datatype, a: TensorData, b: TensorData): boolean =>
    sameRow({ y: { datatype, shape: [a.length], data: a } }, { y: { datatype, shape: [b.length], data: b } });

  it("takes rounding for the same, against the largest number, and another value not", () => {
    assert.equal(same("FP32", new Float32Array([10, 0.1]), new Float32Array([10.2, 0.3])), true);
    assert.equal(same("FP32", new Float32Array([10, 0.1]), new Float32Array([10, 1])), false);
    assert.equal(same("FP32", new Float32Array([Number.NaN, 1]), new Float32Array([Number.NaN, 1])), true);
    assert.equal(same("FP32", new Float32Array([1, 1]), new Float32Array([1, Number.NaN])), false);
    const infinite = new Float32Array([Number.POSITIVE_INFINITY, 1]);
    assert.equal(same("FP32", infinite, infinite), true);
    assert.equal(same("FP32", infinite, new Float32Array([Number.POSITIVE_INFINITY, 2])), false);
  });

  it("compares numbers of half precision by what they are, not by their bits", () => {
    // 1, 1 + 2⁻¹⁰ and 2; -0 and 0; NaN and infinity.
    assert.equal(same("FP16", new Uint16Array([0x3c00]), new Uint16Array([0x3c01])), true);
    assert.equal(same("FP16", new Uint16Array([0x3c00]), new Uint16Array([0x4000])), false);
    assert.equal(same("FP16", new Uint16Array([0x8000]), new Uint16Array([0])), true);
    assert.equal(same("FP16", new Uint16Array([0x7e00]), new Uint16Array([0x7c00])), false);
    // Infinity, and the largest number that there is.
    assert.equal(same("FP16", new Uint16Array([0x7c00]), new Uint16Array([0x7bff])), false);
    // 1, 1 + 2⁻⁷ and 2.
    assert.equal(same("BF16", new Uint16Array([0x3f80]), new Uint16Array([0x3f81])), true);
    assert.equal(same("BF16", new Uint16Array([0x3f80]), new Uint16Array([0x4000])), false);
  });

  it("compares whole numbers exactly, and lets few of many be others", () => {
    assert.equal(same("INT64", new BigInt64Array([5n]), new BigInt64Array([5n])), true);
    assert.equal(same("INT64", new BigInt64Array([100n]), new BigInt64Array([101n])), false);
    const [many, other] = [new Uint8Array(40), new Uint8Array(40)];
    other[3] = 1;
    assert.equal(same("UINT8", many, other), true);
    other.fill(1, 0, 3);
    assert.equal(same("UINT8", many, other), false);
    assert.equal(same("UINT8", many, new Uint8Array(39)), false);
  });
});
