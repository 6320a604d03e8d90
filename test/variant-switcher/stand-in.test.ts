import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { DIE_LATER } from "../support/faulty-worker.ts";
import { HeldLoads } from "../support/held-loads.ts";
import { ScalerStub } from "../support/scaler-stub.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

describe("a session that is lost while another variant loads", () => {
  let folder: TestFolder;
  let loads: HeldLoads;
  let switcher: TestSwitcher;

  beforeEach(() => {
    folder = new TestFolder();
    loads = new HeldLoads(folder.path);
  });
  afterEach(async () => {
    loads.letGo();
    await switcher.close();
    loads.close();
    folder.delete();
  });

  /** Sessions are said to need 6,000 MiB each. */
  const start = async (memoryMiB: number) => {
    const workerUrl = new URL("../support/held-worker.js", import.meta.url);
    const config = affineConfig(folder.path, { memoryMiB });
    const variants = (config["variants"] as object[]).map(variant => ({ ...variant, memoryMiB: 60_000 }));
    switcher = await TestSwitcher.startReady({ ...config, variants }, { workerUrl });
  };
  const switches = async () => (await switcher.switches()).map(({ to, cause, outcome }) => [to, cause, outcome]);
  const served = async () => (await switcher.infer([3])).body.model_version;

  it("is made up for by that one where no other is in memory", async () => {
    await start(135_000);
    assert.equal((await switcher.infer([DIE_LATER])).status, 200);
    loads.holdOnly(2);
    const pinned = switcher.pin("b");
    await until(() => loads.count === 2, "loading b");
    await until(async () => (await switcher.variants())["a"]?.state === "absent", "lost");
    const waiting = served();
    loads.letGo();
    assert.equal((await pinned).status, 200);
    assert.equal(await waiting, "b");
    assert.deepEqual(await switches(), [
      ["a", "start", "done"],
      ["b", "pin", "done"],
    ]);
  });

  it("is replaced at once by one that is in memory", async () => {
    await start(640_000);
    await switcher.pin("b");
    await switcher.pin("a");
    loads.holdOnly(3);
    assert.equal((await switcher.infer([DIE_LATER])).status, 200);
    const pinned = switcher.pin("c");
    await until(() => loads.count === 3, "loading c");
    await until(async () => (await switches()).some(([, cause]) => cause === "recovery"), "recovering");
    assert.equal(await served(), "b");
    assert.equal(loads.count, 3);
    loads.letGo();
    assert.equal((await pinned).status, 200);
    assert.equal(await served(), "c");
  });
});

describe("the floor, while the top loads", () => {
  it("serves, is listed below it, and says that it is not in memory", async () => {
    const folder = new TestFolder();
    const loads = new HeldLoads(folder.path);
    const scaler = await ScalerStub.start();
    const workerUrl = new URL("../support/held-worker.js", import.meta.url);
    const config = affineConfig(folder.path, { scalerAddress: scaler.address });
    const switcher = await TestSwitcher.start(config, { workerUrl });
    const choose = async () => {
      const { serving } = (await (await switcher.admin("assignment")).json()) as {
        serving: { rungs: readonly { variant: string; inMemory: boolean }[] };
      };
      const { body } = await switcher.infer([1]);
      const { variant, why } = (body as { parameters?: Record<string, unknown> }).parameters ?? {};
      return [serving.rungs.map(rung => `${rung.variant} ${rung.inMemory}`), variant, why];
    };
    try {
      await scaler.untilConnected();
      loads.holdOnly(2);
      scaler.assign(1, { top: "b", floor: "a" });
      await switcher.untilReady();
      assert.deepEqual(await choose(), [["b false", "a true"], "a", "not_in_memory"]);
      loads.letGo();
      await scaler.untilAcked(1);
      assert.deepEqual(await choose(), [["b true", "a true"], "b", "top"]);
    } finally {
      loads.close();
      await switcher.close();
      scaler.stop();
      folder.delete();
    }
  });
});
