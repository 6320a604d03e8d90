import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { HeldLoads } from "../support/held-loads.ts";
import { ScalerStub } from "../support/scaler-stub.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

describe("a load that is given up", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;
  let loads: HeldLoads;

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

  const start = async (
    memoryMiB: number,
    above: Record<string, unknown> = {},
    options: Parameters<typeof TestSwitcher.start>[1] = {},
  ) => {
    const workerUrl = new URL("../support/held-worker.js", import.meta.url);
    const config = affineConfig(folder.path, { memoryMiB, ...above });
    const variants = (config["variants"] as object[]).map(variant => ({ ...variant, memoryMiB: 60_000 }));
    switcher = await TestSwitcher.startReady({ ...config, variants }, { workerUrl, ...options });
  };
  const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;

  it("counts as memory until its thread has ended, and the next one waits for it", async () => {
    await start(135_000);
    loads.holdAll();
    const first = switcher.pin("b");
    await until(() => loads.count === 2, "loading b");
    const second = switcher.pin("c");
    assert.equal(await codeOf(await first), "superseded");
    await sleep(500);
    assert.equal(loads.count, 2);
    assert.equal((await switcher.infer([3])).body.model_version, "a");
    loads.letGo();
    assert.equal((await second).status, 200);
    assert.equal(loads.count, 3);
  });

  it("holds up nobody where there is memory for both", async () => {
    await start(195_000);
    loads.holdAll();
    const first = switcher.pin("b");
    await until(() => loads.count === 2, "loading b");
    const second = switcher.pin("c");
    await until(() => loads.count === 3, "loading c");
    loads.letGo();
    assert.equal(await codeOf(await first), "superseded");
    assert.equal((await second).status, 200);
  });

  it("is the fallback's where a Switch comes in, and begins again after it", async () => {
    const scaler = await ScalerStub.start();
    try {
      await start(640_000, { scalerAddress: scaler.address }, { firstWordMs: 0 });
      loads.holdAll();
      await scaler.untilConnected();
      scaler.assign(1, { top: "a", floor: "b", batch: 1 });
      await until(() => loads.count === 2, "loading the fallback");
      const pinned = switcher.pin("c");
      await until(() => loads.count === 3, "loading c");
      loads.letGo();
      assert.equal((await pinned).status, 200);
      await until(async () => (await switcher.variants())["b"]?.state === "resident", "the fallback is resident");
      assert.equal(loads.count, 4);
    } finally {
      scaler.stop();
    }
  });

  const profile = (signal: AbortSignal | null) =>
    switcher.admin("profile", { method: "POST", body: JSON.stringify({ variant: "b" }), signal });

  it("is a profile's where a Switch comes in, and the profile is told why", async () => {
    await start(640_000);
    loads.holdAll();
    const profiled = profile(null);
    await until(() => loads.count === 2, "loading b");
    const pinned = switcher.pin("c");
    await until(() => loads.count === 3, "loading c");
    const answer = await profiled;
    assert.equal(answer.status, 409);
    assert.match(await answer.text(), /superseded: a newer Switch came in between/);
    loads.letGo();
    assert.equal((await pinned).status, 200);
  });

  it("is a profile's that nobody waits for any more", async () => {
    await start(640_000);
    loads.holdAll();
    const leaving = new AbortController();
    const profiled = profile(leaving.signal).catch(() => "gone");
    await until(async () => (await switcher.variants())["b"]?.state === "loading", "loading b");
    leaving.abort();
    assert.equal(await profiled, "gone");
    await until(async () => (await switcher.variants())["b"]?.state === "absent", "given up");
  });
});
