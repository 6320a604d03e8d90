import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { affineModel, imageModel, writeModel } from "../support/models.ts";
import { encodeModel } from "../support/onnx-model.ts";
import { AFFINE, affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

/** Of links that lead out of the model folder. */
let outside: TestFolder | null = null;

/** A model file, the variant that names it, and what the refusal must say. */
type Fault = (folder: string) => { readonly name: string; readonly model: string; readonly sha256: string };

const X = { name: "x", type: "FP32", shape: ["rows", 2] } as const;
const Y = { name: "y", type: "FP32", shape: ["rows", 2] } as const;

function identity(input: { name: string; shape: (string | number)[] }, output: { name: string; type?: "FP64" }) {
  const to = output.type === "FP64" ? 11 : 1;
  return encodeModel({
    inputs: [{ type: "FP32", ...input }],
    outputs: [{ type: output.type ?? "FP32", name: output.name, shape: input.shape }],
    nodes: [{ op: "Cast", inputs: [input.name], outputs: [output.name], attributes: { to } }],
    weights: {},
  });
}

const FAULTS: readonly [string, Fault, string, RegExp][] = [
  [
    "is missing",
    () => ({ name: "bad", model: "nothing.onnx", sha256: "0".repeat(64) }),
    "model_missing",
    /ENOENT.*Put it there: `variscale models/,
  ],
  [
    "is a folder",
    folder => {
      mkdirSync(join(folder, "bad"));
      return { name: "bad", model: "bad", sha256: "0".repeat(64) };
    },
    "model_missing",
    /is no file/,
  ],
  [
    "has another hash",
    folder => ({ ...writeModel(folder, "bad", affineModel(1, 1)), sha256: "0".repeat(64) }),
    "sha256_mismatch",
    /sha256 is [0-9a-f]{64}, the pipeline says 0{64}/,
  ],
  [
    "is a link out of the model folder",
    folder => {
      outside = new TestFolder();
      const variant = writeModel(outside.path, "outside", affineModel(1, 1));
      symlinkSync(join(outside.path, variant.model), join(folder, "bad.onnx"));
      return { ...variant, name: "bad", model: "bad.onnx" };
    },
    "model_missing",
    /outside of the model folder/,
  ],
  [
    "is cut off",
    folder => writeModel(folder, "bad", affineModel(1, 1).subarray(0, 60)),
    "model_invalid",
    /is no ONNX model: it is cut off/,
  ],
  ["is garbage", folder => writeModel(folder, "bad", Buffer.alloc(999, 7)), "model_invalid", /no ONNX model/],
  [
    "keeps its weights in another file",
    folder => {
      const spec = {
        inputs: [X],
        outputs: [Y],
        nodes: [{ op: "Mul", inputs: ["x", "w"], outputs: ["y"] }],
        weights: { w: { shape: [1], values: [2] } },
        externalFile: "weights.bin",
      };
      writeFileSync(join(folder, "weights.bin"), Buffer.from(new Float32Array([2]).buffer));
      return writeModel(folder, "bad", encodeModel(spec));
    },
    "model_invalid",
    /keeps tensors in other files/,
  ],
  [
    "has an operator that does not exist",
    folder => {
      const nodes = [{ op: "Nonsense", inputs: ["x"], outputs: ["y"] }];
      return writeModel(folder, "bad", encodeModel({ inputs: [X], outputs: [Y], nodes, weights: {} }));
    },
    "model_invalid",
    /can't be loaded.*Nonsense/,
  ],
  [
    "names its input differently",
    folder => writeModel(folder, "bad", identity({ name: "q", shape: ["rows", 2] }, { name: "y" })),
    "contract_mismatch",
    /needs an input "q"/,
  ],
  [
    "names its output differently",
    folder => writeModel(folder, "bad", identity({ name: "x", shape: ["rows", 2] }, { name: "z" })),
    "contract_mismatch",
    /the output "y" is missing/,
  ],
  [
    "gives another datatype",
    folder => writeModel(folder, "bad", identity({ name: "x", shape: ["rows", 2] }, { name: "y", type: "FP64" })),
    "contract_mismatch",
    /the output "y" is FP64, the contract says FP32/,
  ],
  [
    "has another shape",
    folder => writeModel(folder, "bad", identity({ name: "x", shape: ["rows", 3] }, { name: "y" })),
    "contract_mismatch",
    /the shape \[-1,3\], the contract says \[-1,2\]/,
  ],
  [
    "fixes the batch",
    folder => writeModel(folder, "bad", identity({ name: "x", shape: [1, 2] }, { name: "y" })),
    "contract_mismatch",
    /the batch, must be left open/,
  ],
];

describe("Switching", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(async () => {
    await switcher.close();
    folder.delete();
    outside?.delete();
  });

  const startWith = async (bad: Record<string, unknown>, above: Record<string, unknown> = {}) => {
    const config = affineConfig(folder.path);
    const variants = [...(config["variants"] as object[]), bad];
    switcher = await TestSwitcher.startReady({ ...config, variants, ...above });
  };

  it("serves the default variant, then the pinned one, and times every step", async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
    assert.deepEqual((await switcher.infer([3])).body.outputs?.[0]?.data, [7, 7]);
    assert.equal((await switcher.pin("b", 4)).status, 200);
    const { body } = await switcher.infer([3]);
    assert.equal(body.model_version, "b");
    assert.deepEqual(body.outputs?.[0]?.data, [14, 14]);
    const switches = await switcher.switches();
    assert.deepEqual(
      switches.map(({ from, to, cause, outcome }) => [from, to, cause, outcome]),
      [
        [null, "a", "start", "done"],
        ["a", "b", "pin", "done"],
      ],
    );
    assert.deepEqual(
      switches[1]?.steps.map(({ step }) => step),
      ["load", "verify", "warm", "swap"],
    );
  });

  it("goes back to a resident variant without loading it again", async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
    await switcher.pin("b");
    await switcher.pin("a");
    assert.deepEqual(
      (await switcher.switches()).at(-1)?.steps.map(({ step }) => step),
      ["swap"],
    );
    assert.equal((await switcher.variants())["b"]?.state, "resident");
  });

  it("changes the batch of the served variant without loading or warming", async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
    await switcher.pin("a", 8);
    assert.deepEqual(
      (await switcher.switches()).at(-1)?.steps.map(({ step }) => step),
      ["swap"],
    );
  });

  for (const [name, fault, code, message] of FAULTS)
    it(`keeps the old variant and answers ${code} when the model ${name}`, async () => {
      await startWith(fault(folder.path));
      const response = await switcher.pin("bad");
      assert.equal(response.status, 409);
      const body = (await response.json()) as { code: string; error: string };
      assert.equal(body.code, code);
      assert.match(body.error, message);
      assert.equal((await switcher.infer([3])).body.model_version, "a");
      const last = (await switcher.switches()).at(-1);
      assert.equal(last?.outcome, code);
      assert.match(last?.message ?? "", message);
      const state = (await switcher.variants())["bad"];
      assert.equal(state?.state, "quarantined");
      assert.match(state?.reason ?? "", message);
    });

  it("loads a repaired model although the broken one was quarantined, when an operator says so", async () => {
    const bad = writeModel(folder.path, "bad", affineModel(4, 0));
    truncateSync(join(folder.path, bad.model), 10);
    await startWith(bad);
    assert.equal((await switcher.pin("bad")).status, 409);
    writeModel(folder.path, "bad", affineModel(4, 0));
    assert.equal((await switcher.pin("bad")).status, 200);
    assert.equal((await switcher.variants())["bad"]?.state, "serving");
  });

  it("refuses a variant that does not reproduce its golden outputs, and takes one that does", async () => {
    const tensor = (name: string, values: readonly number[]) => ({
      name,
      shape: [1, 2],
      data: Buffer.from(new Float32Array(values).buffer).toString("base64"),
    });
    const golden = [
      { variant: "b", inputs: [tensor("x", [1, 2])], outputs: [tensor("y", [8, 11])] },
      { variant: "c", inputs: [tensor("x", [1, 2])], outputs: [tensor("y", [10, 21])] },
    ];
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, { golden }));
    assert.equal((await switcher.pin("b")).status, 200);
    const response = await switcher.pin("c");
    assert.equal(((await response.json()) as { code: string }).code, "golden_mismatch");
    assert.equal((await switcher.infer([3])).body.model_version, "b");
  });

  it("refuses with the numbers when memory does not allow both, and gives residents up when it does", async () => {
    const config = affineConfig(folder.path);
    const sizes = [8000, 8000, 13_000];
    const variants = (config["variants"] as object[]).map((variant, i) => ({ ...variant, memoryMiB: sizes[i] }));
    switcher = await TestSwitcher.startReady({ ...config, variants, memoryMiB: 20_000 });
    const first = await switcher.pin("b");
    assert.equal(first.status, 200, await first.text());
    const response = await switcher.pin("c");
    const body = (await response.json()) as { code: string; error: string };
    assert.equal(body.code, "memory_short");
    assert.match(body.error, /c needs about 13000 MiB beside b; of 20000 MiB only \d+ are left/);
    assert.equal((await switcher.infer([3])).body.model_version, "b");
    assert.equal((await switcher.variants())["c"]?.state, "absent");
  });

  it("lets the newest Switch win over one that still loads", async () => {
    const slow = writeModel(folder.path, "slow", imageModel(1, 0));
    await startWith(slow);
    const [first, second] = await Promise.all([switcher.pin("b"), sleep(1).then(() => switcher.pin("c"))]);
    assert.equal(second.status, 200);
    assert.equal(first.status, 409);
    assert.equal(((await first.json()) as { code: string }).code, "superseded");
    assert.equal((await switcher.infer([3])).body.model_version, "c");
  });

  it("ends in the middle of a Switch without leaving anything behind", async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
    const pinned = switcher.pin("b").then(
      response => response.status,
      () => 0,
    );
    await until(async () => (await switcher.switches()).at(-1)?.outcome === "running", "switching");
    await switcher.close(1000);
    assert.ok([0, 409, 503].includes(await pinned));
  });

  it("fails no request and names the right variant while it switches again and again", async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
    const counts: Record<string, number> = {};
    let running = true;
    const client = async (seed: number): Promise<void> => {
      for (let i = 0; running; i++) {
        const rows = Array.from({ length: 1 + ((i + seed) % 5) }, (_, row) => (i * 7 + row) % 50);
        const { status, body } = await switcher.infer(rows);
        assert.equal(status, 200, body.error);
        const variant = body.model_version ?? "";
        assert.deepEqual(
          body.outputs?.[0]?.data,
          rows.flatMap(row => [AFFINE[variant]?.(row), AFFINE[variant]?.(row)]),
        );
        counts[variant] = (counts[variant] ?? 0) + 1;
      }
    };
    const clients = Array.from({ length: 8 }, (_, seed) => client(seed));
    for (let i = 0; i < 60; i++) {
      assert.equal((await switcher.pin("abc"[(i + 1) % 3] ?? "a", 1 + (i % 4))).status, 200);
      await sleep(2);
    }
    running = false;
    await Promise.all(clients);
    assert.deepEqual(Object.keys(counts).sort(), ["a", "b", "c"]);
    const done = (await switcher.switches()).filter(record => record.outcome === "done");
    assert.equal(done.length, 61);
  });
});
