import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { VariscaleError } from "../../domain/errors.ts";
import { giveClasses, keepClasses } from "../../models/class-output.ts";
import { applyEdits, floatTensor, type ModelEdit, node, resizeScale, valueInfo } from "../../models/graph.ts";
import { takeImageBytes } from "../../models/image-input.ts";
import { giveMapBytes } from "../../models/map-output.ts";
import { encodeModel, type OnnxModel, type OnnxNode, type OnnxTensor } from "../../models/onnx.ts";

const FLOAT = 1;

/** A model of opset 11 from planes of floats to whatever `nodes` make of them. */
function modelOf(nodes: readonly OnnxNode[], initializer: readonly OnnxTensor[], output: readonly number[]): OnnxModel {
  return {
    irVersion: 8,
    opsetImport: [{ domain: "", version: 11 }],
    graph: {
      name: "test",
      node: nodes,
      initializer,
      input: [valueInfo("x", FLOAT, [-1, ...output.slice(1)])],
      output: [valueInfo("y", FLOAT, output)],
    },
  };
}

async function run(model: OnnxModel, edits: readonly ModelEdit[], input: Tensor, name: string) {
  const bytes = encodeModel(applyEdits(model, edits));
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const outputs = await session.run({ [name]: input });
  await session.release();
  return outputs;
}

const normalise = { mean: [0.5, 0.25, 0], deviation: [0.5, 1, 0.25] } as const;

describe("takeImageBytes()", () => {
  const planes = modelOf([node("Identity", ["x"], "y")], [], [-1, 3, 2, 2]);

  it("normalises each channel in the model's order and gives planes", async () => {
    const edit = takeImageBytes({
      name: "image",
      height: 2,
      width: 2,
      model: { height: 2, width: 2 },
      channels: "bgr",
      ...normalise,
    });
    const pixels = Uint8Array.from([0, 51, 255, 10, 20, 30, 40, 50, 60, 255, 255, 255]);
    const { y } = await run(planes, [edit], new Tensor("uint8", pixels, [1, 2, 2, 3]), "image");
    const expected = [2, 1, 0].flatMap((from, to) =>
      [0, 1, 2, 3].map(pixel => {
        const value = (pixels[3 * pixel + from] ?? 0) / 255;
        return (value - (normalise.mean[to] ?? 0)) / (normalise.deviation[to] ?? 1);
      }),
    );
    assert.deepEqual(y?.dims, [1, 3, 2, 2]);
    for (const [index, value] of expected.entries()) {
      assert.ok(Math.abs(value - Number(y?.data[index])) < 1e-5, `${index}: ${value} ${y?.data[index]}`);
    }
  });

  it("halves a picture by averaging, for every row of the batch", async () => {
    const edit = takeImageBytes({
      name: "image",
      height: 4,
      width: 4,
      model: { height: 2, width: 2 },
      channels: "rgb",
      mean: [0, 0, 0],
      deviation: [1, 1, 1],
    });
    const pixels = Uint8Array.from({ length: 2 * 48 }, (_, i) => Math.floor(i / 3) * 8);
    const { y } = await run(planes, [edit], new Tensor("uint8", pixels, [2, 4, 4, 3]), "image");
    assert.deepEqual(y?.dims, [2, 3, 2, 2]);
    const firstPlane = Array.from(y!.data.slice(0, 4) as Float32Array, value => Math.round(value * 255));
    assert.deepEqual(firstPlane, [20, 36, 84, 100]);
  });
});

describe("giveMapBytes()", () => {
  it("rounds probabilities to bytes and drops the channel", async () => {
    const map = modelOf([node("Identity", ["x"], "y")], [], [-1, 1, 1, 4]);
    const edit = giveMapBytes({ name: "map", height: 1, width: 4, model: { height: 1, width: 4 } });
    const values = Float32Array.from([0, 0.5, 0.999, 1]);
    const { map: bytes } = await run(map, [edit], new Tensor("float32", values, [1, 1, 1, 4]), "x");
    assert.deepEqual(bytes?.dims, [1, 1, 4]);
    assert.deepEqual([...(bytes!.data as Uint8Array)], [0, 128, 255, 255]);
  });

  it("gives the contract's size whatever size the model has", async () => {
    const map = modelOf([node("Identity", ["x"], "y")], [], [-1, 1, 192, 256]);
    const edit = giveMapBytes({ name: "map", height: 224, width: 320, model: { height: 192, width: 256 } });
    const values = new Float32Array(192 * 256).fill(1);
    const { map: bytes } = await run(map, [edit], new Tensor("float32", values, [1, 1, 192, 256]), "x");
    assert.deepEqual(bytes?.dims, [1, 224, 320]);
    assert.ok((bytes!.data as Uint8Array).every(value => value === 255));
  });
});

describe("keepClasses() and giveClasses()", () => {
  const weights = [0, 1, 2, 3, 10, 11, 12, 13];
  const classifier = modelOf(
    [node("MatMul", ["x", "w"], "scores"), node("Identity", ["scores"], "y")],
    [floatTensor("w", [2, 4], weights)],
    [-1, 1, 2],
  );

  it("keep the wanted columns in the wanted order and name the best of them", async () => {
    const edits = [keepClasses([3, 0], 4), giveClasses({ classes: "classes", confidence: "confidence" }, 1)];
    const input = new Tensor("float32", Float32Array.from([1, 0, -1, 0]), [2, 1, 2]);
    const { classes, confidence } = await run(classifier, edits, input, "x");
    assert.deepEqual([...(classes!.data as Uint8Array)], [0, 1]);
    assert.deepEqual([...(confidence!.data as Float32Array)], [3, 0]);
    assert.deepEqual(classes?.dims, [2, 1]);
  });

  it("refuse a class count that no layer has", () => {
    assert.throws(
      () => applyEdits(classifier, [keepClasses([0], 5)]),
      (error: unknown) => error instanceof VariscaleError && /5 columns/.test(error.message),
    );
  });
});

describe("resizeScale()", () => {
  it("makes Resize give exactly the size that is wanted", () => {
    const size = fc.integer({ min: 1, max: 4096 });
    fc.assert(
      fc.property(size, size, (from, to) => {
        const scale = resizeScale(from, to);
        assert.equal(Math.fround(scale), scale);
        assert.equal(Math.floor(scale * from), to);
      }),
    );
  });
});
