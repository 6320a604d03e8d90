import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

describe("a profile that is measured where a variant serves", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;

  beforeEach(async () => {
    folder = new TestFolder();
    const workerUrl = new URL("../support/slow-worker.js", import.meta.url);
    const config = affineConfig(folder.path);
    const points = [{ batch: 1, latencyMs: 300 }];
    const variants = (config["variants"] as object[]).map(variant => ({ ...variant, points }));
    switcher = await TestSwitcher.startReady({ ...config, variants }, { workerUrl, minWatchdogMs: 200 });
  });
  afterEach(async () => {
    await switcher.close();
    folder.delete();
  });

  it("does not end the session that serves, however much slower it is than the shortest watchdog", async () => {
    const body = JSON.stringify({ variant: "a", batches: [2, 1], seconds: 0 });
    const profiled = switcher.admin("profile", { method: "POST", body });
    const answers = await Promise.all([1, 2].map(row => switcher.infer([row])));
    const profile = await profiled;
    assert.equal(profile.status, 200, await profile.clone().text());
    const { points } = (await profile.json()) as { points: { batch: number; latencyMs: number }[] };
    assert.deepEqual(
      points.map(({ batch, latencyMs }) => [batch, latencyMs >= 299]),
      [
        [1, true],
        [2, true],
      ],
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    );
    assert.ok(!(await switcher.switches()).some(({ cause }) => cause === "recovery"));
  });
});

describe("a profile whose session dies", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;

  beforeEach(async () => {
    folder = new TestFolder();
    const workerUrl = new URL("../support/faulty-worker.js", import.meta.url);
    switcher = await TestSwitcher.startReady(affineConfig(folder.path), { workerUrl });
  });
  afterEach(async () => {
    await switcher.close();
    folder.delete();
  });

  it("is given up, and the variant that serves is made again before anybody asks for it", async () => {
    // As faulty-worker.ts says: it answers, and dies some seconds later.
    assert.equal((await switcher.infer([668])).status, 200);
    const body = JSON.stringify({ variant: "a", batches: [1], seconds: 10 });
    assert.equal((await switcher.admin("profile", { method: "POST", body })).status, 409);
    const isMadeAgain = async () =>
      (await switcher.switches()).some(
        ({ to, cause, outcome }) => to === "a" && cause === "recovery" && outcome === "done",
      );
    await until(isMadeAgain, "made again");
    assert.deepEqual((await switcher.infer([1])).body.outputs?.[0]?.data, [3, 3]);
  });
});
