import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { IMAGE_CONTRACT, imageModel, writeModel } from "../support/models.ts";
import { encodeModel } from "../support/onnx-model.ts";
import { affineConfig, type InferAnswer, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

const SLOW_MS = 1500;
const quick = { points: [{ batch: 1, latencyMs: 1 }] };
const slow = { points: [{ batch: 1, latencyMs: SLOW_MS }] };

describe("a Switch, state by state", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(async () => {
    await switcher.close();
    folder.delete();
  });

  /** Variants that linger in a state: `load` and `warm` themselves, `swap` because `busy` serves a batch. */
  const startLingering = async (defaultVariant: string, above: Record<string, unknown> = {}) => {
    const emulated = [
      { name: "old", ...quick },
      { name: "new", ...quick },
      { name: "load", ...quick, loadMs: SLOW_MS },
      { name: "warm", ...slow },
      { name: "busy", ...slow },
    ];
    const variants = emulated.map(variant => ({ driver: "emulated", memoryMiB: 60_000, ...variant }));
    switcher = await TestSwitcher.startReady(
      affineConfig(folder.path, { variants, defaultVariant, memoryMiB: 640_000, ...above }),
    );
    // A lighter variant serves before it.
    await until(async () => (await switcher.variants())[defaultVariant]?.state === "serving", "serving");
  };
  const last = async () => (await switcher.switches()).at(-1);
  const untilIn = (step: string) =>
    until(async () => {
      const { outcome, steps } = (await last()) ?? { outcome: "", steps: [] };
      return outcome === "running" && steps.at(-1)?.step === step;
    }, `in ${step}`);
  /** A Switch that is now in the given state, and the request that keeps it there. */
  const lingerIn = async (step: "load" | "warm" | "swap") => {
    const request: Promise<InferAnswer> | null = step === "swap" ? switcher.infer([1]) : null;
    if (request !== null) await sleep(100);
    const pinned = switcher.pin(step === "swap" ? "new" : step);
    await untilIn(step);
    return { pinned, request };
  };

  for (const step of ["load", "warm", "swap"] as const) {
    const from = step === "swap" ? "busy" : "old";

    it(`is overtaken in ${step} by a newer one, and the old variant serves until then`, async () => {
      await startLingering(from);
      const { pinned, request } = await lingerIn(step);
      if (step !== "swap") assert.equal((await switcher.infer([1])).body.model_version, "old");
      const newest = await switcher.pin("old");
      assert.equal(newest.status, 200);
      const overtaken = await pinned;
      assert.equal(overtaken.status, 409);
      assert.equal(((await overtaken.json()) as { code: string }).code, "superseded");
      assert.equal((await switcher.infer([1])).body.model_version, "old");
      if (request !== null) assert.equal((await request).body.model_version, "busy");
      const outcomes = (await switcher.switches()).slice(-2).map(({ to, outcome }) => [to, outcome]);
      assert.deepEqual(outcomes, [
        [step === "swap" ? "new" : step, "superseded"],
        ["old", "done"],
      ]);
    });

    it(`leaves nothing behind when the switcher ends in ${step}`, async () => {
      await startLingering(from);
      const { pinned, request } = await lingerIn(step);
      const status = pinned.then(
        response => response.status,
        () => 0,
      );
      await switcher.close(3000);
      assert.ok([0, 200, 409, 503].includes(await status));
      if (request !== null) assert.equal((await request).status, 200);
    });
  }

  it("is overtaken in swap by one that needs the memory of the session that waits, and nothing is lost", async () => {
    await startLingering("busy", { memoryMiB: 135_000 });
    const { pinned, request } = await lingerIn("swap");
    const newest = switcher.pin("load");
    assert.equal((await pinned).status, 409);
    assert.equal((await request)?.body.model_version, "busy");
    assert.match((await switcher.infer([1])).body.model_version ?? "", /busy|load/);
    assert.equal((await newest).status, 200);
    assert.equal((await switcher.infer([1])).body.model_version, "load");
    assert.doesNotMatch(await switcher.metrics(), /sessions_lost_total\{.*\} [1-9]/);
    assert.equal((await switcher.variants())["new"]?.state, "absent");
  });

  it("keeps the session that waits in swap from being unloaded", async () => {
    await startLingering("busy", { modelControl: "explicit" });
    const { pinned } = await lingerIn("swap");
    const body = JSON.stringify({ parameters: { variant: "new" } });
    const refused = await switcher.http("/v2/repository/models/affine/unload", { method: "POST", body });
    assert.equal(refused.status, 412);
    assert.match(await refused.text(), /affine is about to serve new/);
    assert.equal((await pinned).status, 200);
  });

  it("is overtaken while it verifies, by whoever lets go of the pin", async () => {
    const zero = (bytes: number) => Buffer.alloc(bytes).toString("base64");
    const golden = Array.from({ length: 20 }, () => ({
      variant: "golden",
      inputs: [{ name: "image", shape: [4, 240, 192], data: zero(4 * 46_080) }],
      outputs: [{ name: "score", shape: [4, 2], data: zero(32) }],
    }));
    const variants = [
      writeModel(folder.path, "old", imageModel(1, 1000)),
      writeModel(folder.path, "golden", imageModel(200, 0)),
    ];
    const above = { contract: IMAGE_CONTRACT, variants, defaultVariant: "old", golden };
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, above));
    const pinned = switcher.pin("golden");
    await untilIn("verify");
    await switcher.admin("assignment", { method: "DELETE", headers: { "if-match": "*" } });
    assert.equal((await pinned).status, 409);
    await until(async () => (await switcher.variants())["old"]?.state === "serving", "serving");
    await until(async () => (await switcher.variants())["golden"]?.state === "absent", "given up");
    assert.doesNotMatch(await switcher.metrics(), /resident_sessions\{stage="affine"\} 2/);
  });

  it("is refused in warm when the model gives other rows than it was asked for", async () => {
    const config = affineConfig(folder.path);
    const shape = encodeModel({
      inputs: [{ name: "x", type: "FP32", shape: ["rows", 2] }],
      outputs: [{ name: "y", type: "FP32", shape: ["more", 2] }],
      nodes: [{ op: "Concat", inputs: ["x", "x"], outputs: ["y"], attributes: { axis: 0 } }],
      weights: {},
    });
    const variants = [...(config["variants"] as object[]), writeModel(folder.path, "bad", shape)];
    switcher = await TestSwitcher.startReady({ ...config, variants });
    const response = await switcher.pin("bad");
    assert.equal(response.status, 409);
    assert.match(await response.text(), /the output \\"y\\" has the shape \[2,2\] for 1 rows.*contract_mismatch/);
    assert.equal((await last())?.steps.at(-1)?.step, "warm");
    assert.equal((await switcher.infer([3])).body.model_version, "a");
  });

  it("gives up what is no rung before a rung, and loads it again when it is wanted", async () => {
    const config = affineConfig(folder.path);
    const variants = (config["variants"] as object[]).map(variant => ({ ...variant, memoryMiB: 60_000 }));
    switcher = await TestSwitcher.startReady({ ...config, variants, memoryMiB: 135_000 });
    const states = async () => {
      const all = await switcher.variants();
      return ["a", "b", "c"].map(name => all[name]?.state);
    };
    const lastSteps = async () => (await last())?.steps.map(({ step }) => step);
    await switcher.pin("b");
    assert.deepEqual(await states(), ["resident", "serving", "absent"]);
    await switcher.pin("c");
    // The default variant is the ladder's only rung.
    await until(async () => (await states()).join() === "resident,absent,serving", "the rung is in memory");
    await switcher.pin("a");
    assert.deepEqual(await lastSteps(), ["swap"]);
    assert.deepEqual(await states(), ["serving", "absent", "resident"]);
    await switcher.pin("b");
    assert.deepEqual(await lastSteps(), ["load", "verify", "warm", "swap"]);
    assert.deepEqual(await states(), ["resident", "serving", "absent"]);
  });

  it("needs the disk only to load: what is resident is switched to without it", async () => {
    const models = new TestFolder();
    switcher = await TestSwitcher.startReady(affineConfig(models.path));
    await switcher.pin("b");
    rmSync(models.path, { recursive: true });
    assert.equal((await switcher.pin("a")).status, 200);
    const refused = await switcher.pin("c");
    assert.equal(((await refused.json()) as { code: string }).code, "model_missing");
    assert.deepEqual((await switcher.infer([3])).body.outputs?.[0]?.data, [7, 7]);
  });

  it("is done once for many that ask for different variants at the same time, and the newest wins", async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
    const names = Array.from({ length: 30 }, (_, i) => "abc"[i % 3] ?? "a");
    const statuses = await Promise.all(names.map(async name => (await switcher.pin(name)).status));
    assert.ok(
      statuses.every(status => status === 200 || status === 409),
      statuses.join(),
    );
    const newest = await last();
    assert.equal(newest?.outcome, "done");
    assert.equal((await switcher.infer([3])).body.model_version, newest?.to);
    assert.ok((await switcher.switches()).every(({ outcome }) => outcome === "done" || outcome === "superseded"));
  });
});
