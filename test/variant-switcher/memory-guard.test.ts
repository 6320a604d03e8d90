import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { ScalerStub } from "../support/scaler-stub.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

const MIB = 1024 * 1024;

describe("a switcher whose memory runs short", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(async () => {
    await switcher.close();
    folder.delete();
  });

  const rssMiB = () => process.memoryUsage.rss() / MIB;
  /** Sessions that keep 32 MiB of every run; unless it is said otherwise, the pod has room for twenty of them. */
  const start = async (memoryMiB = Math.ceil((rssMiB() + 20 * 32) / 0.92), neededMiB = 1, above: object = {}) => {
    const workerUrl = new URL("../support/leaking-worker.js", import.meta.url);
    const config = affineConfig(folder.path, { memoryMiB, ...above });
    const variants = (config["variants"] as object[]).map(variant => ({ ...variant, memoryMiB: neededMiB }));
    const options = { workerUrl, memoryCheckMs: 20 };
    const started = await TestSwitcher.start({ ...config, variants }, options);
    if (!("scalerAddress" in above)) await started.untilReady();
    return started;
  };

  it("replaces a session that leaks, and fails no request meanwhile", async () => {
    switcher = await start();
    let most = 0;
    const reloads = async () => (await switcher.switches()).filter(({ cause }) => cause === "reload");
    await until(async () => {
      const { status, body } = await switcher.infer([3]);
      assert.equal(status, 200, body.error);
      assert.deepEqual(body.outputs?.[0]?.data, [7, 7]);
      most = Math.max(most, rssMiB());
      return (await reloads()).at(-1)?.outcome === "done";
    }, "replaced");
    await until(() => rssMiB() < most - 8 * 32, "freed");
  });

  it("replaces a session of ordinary size that leaks while there is still room for both", async () => {
    const neededMiB = 600;
    const memoryMiB = Math.ceil(rssMiB() + 2 * neededMiB + 200);
    switcher = await start(memoryMiB, neededMiB);
    const reload = async () => (await switcher.switches()).find(({ cause }) => cause === "reload");
    await until(async () => {
      const { status, body } = await switcher.infer([3]);
      assert.equal(status, 200, body.error);
      assert.ok(rssMiB() + neededMiB < memoryMiB, "there is no room for a replacement any more");
      return (await reload()) !== undefined;
    }, "being replaced");
    await until(async () => (await reload())?.outcome !== "running", "replaced");
    assert.equal((await reload())?.outcome, "done");
  });

  it("gives up what does not serve first", async () => {
    switcher = await start();
    assert.equal((await switcher.pin("b")).status, 200);
    await until(async () => {
      assert.equal((await switcher.infer([3])).status, 200);
      // What serves leaks on, and is soon replaced as well: but not before.
      const isReplaced = (await switcher.switches()).some(({ cause }) => cause === "reload");
      const isGivenUp = (await switcher.variants())["a"]?.state === "absent";
      assert.ok(isGivenUp || !isReplaced);
      return isGivenUp;
    }, "given up");
    assert.equal((await switcher.variants())["b"]?.state, "serving");
  });

  it("does not load again at once what it gave up", async () => {
    const scaler = await ScalerStub.start();
    let used: Buffer | null = null;
    try {
      switcher = await start(Math.ceil(rssMiB() + 300), 1, { scalerAddress: scaler.address });
      await scaler.untilConnected();
      scaler.assign(1, { top: "b", floor: "a", batch: 1 });
      await scaler.untilAcked(1);
      const floor = async () => (await switcher.variants())["a"]?.state;
      await until(async () => (await floor()) === "resident", "the floor is resident");
      // More than it may have, whatever is given up.
      used = Buffer.alloc(400 * MIB, 1);
      await until(async () => (await floor()) === "absent", "given up");
      for (let i = 0; i < 50; i++) {
        assert.equal(await floor(), "absent");
        if (i === 25) scaler.assign(2, { top: "b", floor: "a", batch: 2 });
        await sleep(50);
      }
      assert.equal((await switcher.infer([3])).status, 200);
    } finally {
      assert.equal(used?.length, 400 * MIB);
      scaler.stop();
    }
  });

  it("loads a fallback again that was given up for a session that leaks", async () => {
    const scaler = await ScalerStub.start();
    try {
      switcher = await start(undefined, undefined, { scalerAddress: scaler.address });
      await scaler.untilConnected();
      scaler.assign(1, { top: "b", floor: "a", batch: 1 });
      await scaler.untilAcked(1);
      const fallback = async () => (await switcher.variants())["a"]?.state;
      await until(async () => (await fallback()) === "resident", "the fallback is resident");
      let wasGivenUp = false;
      await until(async () => {
        assert.equal((await switcher.infer([3])).status, 200);
        wasGivenUp ||= (await fallback()) === "absent";
        return (await switcher.switches()).some(({ cause, outcome }) => cause === "reload" && outcome === "done");
      }, "replaced");
      assert.ok(wasGivenUp);
      await until(async () => (await fallback()) === "resident", "the fallback is back");
    } finally {
      scaler.stop();
    }
  });
});
