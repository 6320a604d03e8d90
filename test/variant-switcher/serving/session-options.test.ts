import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { affineConfig, TestFolder, TestSwitcher } from "../../support/switcher-harness.ts";

const workerUrl = new URL("./options-worker.js", import.meta.url);

describe("the options of a session", () => {
  let folder: TestFolder;

  beforeEach(() => {
    folder = new TestFolder();
    process.env["SESSION_OPTIONS"] = join(folder.path, "options");
  });
  afterEach(() => {
    delete process.env["SESSION_OPTIONS"];
    folder.delete();
  });

  /** Gives the options that onnxruntime got for the first session, which answers. */
  const findOptions = async (cores: number, variants: number): Promise<Record<string, unknown>> => {
    const config = affineConfig(folder.path);
    const own = (config["variants"] as unknown[]).slice(0, variants);
    const switcher = await TestSwitcher.startReady({ ...config, cores, variants: own }, { workerUrl });
    try {
      assert.deepEqual((await switcher.infer([1])).body.outputs?.[0]?.data, [3, 3]);
    } finally {
      await switcher.close();
    }
    const [first = ""] = readFileSync(join(folder.path, "options"), "utf8").split("\n");
    return JSON.parse(first) as Record<string, unknown>;
  };

  it("keep threads from spinning where sessions share several cores", async () => {
    const { intraOpNumThreads, extra } = await findOptions(2, 3);
    assert.deepEqual([intraOpNumThreads, extra], [2, { session: { intra_op: { allow_spinning: "0" } } }]);
  });

  it("are onnxruntime's own with one variant, or one core", async () => {
    assert.deepEqual(Object.keys(await findOptions(2, 1)).includes("extra"), false);
    folder.delete();
    folder = new TestFolder();
    process.env["SESSION_OPTIONS"] = join(folder.path, "options");
    assert.deepEqual(Object.keys(await findOptions(1, 3)).includes("extra"), false);
  });
});
