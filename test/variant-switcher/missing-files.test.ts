import assert from "node:assert/strict";
import { mkdirSync, promises, rmSync, symlinkSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createLogger } from "../../runtime/logger.ts";
import { MissingFiles } from "../../variant-switcher/missing-files.ts";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import { affineModel, writeModel } from "../support/models.ts";
import { ScalerStub } from "../support/scaler-stub.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

describe("model files that are missing", () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  const remove = (file: string) => rmSync(join(folder.path, file));

  it("are in the hello and the statuses, and once they are there the variant is served without a restart", async () => {
    const scaler = await ScalerStub.start();
    const config = affineConfig(folder.path, { scalerAddress: scaler.address });
    remove("b.onnx");
    const started = await TestSwitcher.start(config, { firstWordMs: 60_000, fileCheckMs: 1000 });
    try {
      await scaler.untilConnected();
      assert.deepEqual(scaler.hellos[0]?.missingVariants, ["b"]);
      scaler.assign(1, { top: "b" });
      assert.equal((await scaler.untilNacked(1)).code, "model_missing");
      await until(() => scaler.statuses.length > 0, "a status");
      assert.deepEqual(scaler.statuses.at(-1)?.missingVariants, ["b"]);
      writeModel(folder.path, "b", affineModel(3, 5));
      await until(() => scaler.statuses.at(-1)?.missingVariants.length === 0, "found");
      // Its quarantine, which would be 5 s, is over.
      scaler.assign(2, { top: "b" });
      await until(() => scaler.acks.length + scaler.nacks.length === 2, "an answer");
      assert.equal(scaler.acks.at(-1)?.version?.counter, 2);
      assert.equal((await started.infer([1])).body.model_version, "b");
    } finally {
      await started.close();
      scaler.stop();
    }
  });

  it("are missed when they go, but for a variant that is in memory", async () => {
    const scaler = await ScalerStub.start();
    const config = affineConfig(folder.path, { scalerAddress: scaler.address });
    const started = await TestSwitcher.start(config, { firstWordMs: 60_000, fileCheckMs: 20 });
    try {
      await scaler.untilConnected();
      assert.deepEqual(scaler.hellos[0]?.missingVariants, []);
      scaler.assign(1, { top: "a", floor: "a" });
      await scaler.untilAcked(1);
      remove("a.onnx");
      remove("c.onnx");
      await until(() => scaler.statuses.at(-1)?.missingVariants.length === 1, "missed");
      assert.deepEqual(scaler.statuses.at(-1)?.missingVariants, ["c"]);
    } finally {
      await started.close();
      scaler.stop();
    }
  });

  it("are looked for one after the other, and a volume that does not answer does not keep the start waiting", async () => {
    const scaler = await ScalerStub.start();
    const config = affineConfig(folder.path, { scalerAddress: scaler.address });
    remove("b.onnx");
    const { stat } = promises;
    const held: (() => void)[] = [];
    let answers = false;
    const stalling = async (path: string): Promise<unknown> => {
      if (!answers) await new Promise<void>(resolve => held.push(resolve));
      return stat(path);
    };
    Object.assign(promises, { stat: stalling });
    syncBuiltinESMExports();
    let started: TestSwitcher | null = null;
    try {
      const beganMs = performance.now();
      started = await TestSwitcher.start(config, { firstWordMs: 60_000 });
      assert.ok(performance.now() - beganMs < 10_000);
      assert.equal(held.length, 1);
      await scaler.untilConnected();
      assert.deepEqual(scaler.hellos[0]?.missingVariants, []);
      answers = true;
      held[0]?.();
      await until(() => scaler.statuses.at(-1)?.missingVariants.join() === "b", "the look that went on");
    } finally {
      Object.assign(promises, { stat });
      syncBuiltinESMExports();
      for (const release of held) release();
      await started?.close();
      scaler.stop();
    }
  });

  it("are only those of models that are loaded from files, and none where it can't be told", async () => {
    const config = affineConfig(folder.path);
    const { variants } = config as { variants: readonly object[] };
    mkdirSync(join(folder.path, "folder.onnx"));
    symlinkSync("round.onnx", join(folder.path, "round.onnx"));
    symlinkSync("nowhere.onnx", join(folder.path, "dangling.onnx"));
    const named = (name: string) => ({ name, model: `${name}.onnx`, sha256: "0".repeat(64) });
    const remote = { name: "remote", driver: "remote", model: "remote", url: "http://127.0.0.1:1" };
    const more = [remote, ...["folder", "round", "dangling"].map(named)];
    const { modelFolder, variants: all } = parseSwitcherConfig({ ...config, variants: [...variants, ...more] });
    const emulated = all.map(one => ({ ...one, name: `emulated-${one.name}`, driver: "emulated" as const, model: "" }));
    const found: string[] = [];
    const missing = new MissingFiles({
      config: { modelFolder, variants: [...all, ...emulated] },
      onFound: variant => found.push(variant),
      logger: createLogger("test", "silent"),
    });
    try {
      await missing.look();
      assert.deepEqual(missing.variants, ["folder", "dangling"]);
      remove("dangling.onnx");
      symlinkSync("dangling.onnx", join(folder.path, "dangling.onnx"));
      await missing.look();
      assert.deepEqual(missing.variants, ["folder", "dangling"], "what can't be told is as it was");
      remove("dangling.onnx");
      writeModel(folder.path, "dangling", affineModel(1, 0));
      await missing.look();
      assert.deepEqual([missing.variants, found], [["folder"], ["dangling"]]);
    } finally {
      missing.close();
    }
  });
});
