import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { HeldLoads } from "../../support/held-loads.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../../support/switcher-harness.ts";

const workerUrl = new URL("../../support/held-worker.js", import.meta.url);

describe("the options of a session", () => {
  let folder: TestFolder;
  let loads: HeldLoads;

  beforeEach(() => {
    folder = new TestFolder();
    loads = new HeldLoads(folder.path);
  });
  afterEach(() => {
    loads.close();
    folder.delete();
  });

  /** Gives the options that onnxruntime got for the newest session, which answers. */
  const findOptions = async (cores: number, variants: number): Promise<Readonly<Record<string, unknown>>> => {
    const config = affineConfig(folder.path);
    const own = (config["variants"] as unknown[]).slice(0, variants);
    const switcher = await TestSwitcher.startReady({ ...config, cores, variants: own }, { workerUrl });
    try {
      assert.deepEqual((await switcher.infer([1])).body.outputs?.[0]?.data, [3, 3]);
    } finally {
      await switcher.close();
    }
    return loads.options.at(-1) ?? {};
  };

  it("keep threads from spinning where sessions share several cores", async () => {
    const { intraOpNumThreads, extra } = await findOptions(2, 3);
    assert.deepEqual([intraOpNumThreads, extra], [2, { session: { intra_op: { allow_spinning: "0" } } }]);
  });

  it("are onnxruntime's own with one variant, or one core", async () => {
    for (const [cores, variants] of [
      [2, 1],
      [1, 3],
    ] as const) {
      const options = await findOptions(cores, variants);
      assert.deepEqual([options["intraOpNumThreads"], "extra" in options], [cores, false]);
    }
  });
});
