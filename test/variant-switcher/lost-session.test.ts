import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, it } from "mocha";
import { CRASH, DIE_LATER, HANG } from "../support/faulty-worker.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

describe("a switcher whose session is lost", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;

  beforeEach(async () => {
    folder = new TestFolder();
    const workerUrl = new URL("../support/faulty-worker.js", import.meta.url);
    switcher = await TestSwitcher.startReady(affineConfig(folder.path), { workerUrl, minWatchdogMs: 1000 });
  });
  afterEach(async () => {
    await switcher.close();
    folder.delete();
  });

  it("replaces a crashed thread, fails only the request that crashes it twice, and serves on", async () => {
    const others = Array.from({ length: 10 }, (_, i) => switcher.infer([i]));
    const poison = await switcher.infer([CRASH]);
    assert.equal(poison.status, 503);
    assert.match(poison.body.error ?? "", /session was lost twice with this request: its thread ended with code 1/);
    assert.deepEqual([...new Set((await Promise.all(others)).map(({ status }) => status))], [200]);
    assert.deepEqual((await switcher.infer([3])).body.outputs?.[0]?.data, [7, 7]);
    const recoveries = (await switcher.switches()).filter(({ cause }) => cause === "recovery");
    assert.deepEqual(
      recoveries.map(({ to, outcome }) => [to, outcome]),
      [
        ["a", "done"],
        ["a", "done"],
      ],
    );
  });

  it("replaces a thread that hangs", async () => {
    const poison = await switcher.infer([HANG]);
    assert.equal(poison.status, 503);
    assert.match(poison.body.error ?? "", /no answer within 1000 ms/);
    assert.equal((await switcher.infer([3])).status, 200);
  });

  it("replaces a thread that dies while nothing runs, before anybody asks for anything", async () => {
    assert.equal((await switcher.infer([DIE_LATER])).status, 200);
    await until(async () => {
      const last = (await switcher.switches()).at(-1);
      return last?.cause === "recovery" && last.outcome === "done";
    }, "recovered");
    assert.match(await switcher.metrics(), /sessions_lost_total\{.*variant="a".*\} 1/);
    assert.equal((await switcher.infer([3])).status, 200);
  });

  it("forgets a resident whose thread dies", async () => {
    assert.equal((await switcher.pin("b")).status, 200);
    assert.equal((await switcher.infer([DIE_LATER])).status, 200);
    assert.equal((await switcher.pin("a")).status, 200);
    await until(async () => (await switcher.variants())["b"]?.state === "absent", "forgotten");
    assert.match(await switcher.metrics(), /sessions_lost_total\{.*variant="b".*\} 1/);
    assert.ok(!(await switcher.switches()).some(({ cause }) => cause === "recovery"));
    assert.equal((await switcher.pin("b")).status, 200);
    assert.equal((await switcher.infer([3])).status, 200);
  });

  it("takes another batch size at once while its session hangs, and makes that anew with it", async () => {
    const poison = switcher.infer([HANG]);
    await until(async () => /offered_rows_total\{.*\} 1\n/.test(await switcher.metrics()), "running");
    assert.equal((await switcher.pin("a", 4)).status, 200);
    const pin = (await switcher.switches()).find(({ cause }) => cause === "pin");
    assert.deepEqual(
      pin?.steps.map(({ step }) => step),
      ["swap"],
    );
    assert.equal((await poison).status, 503);
    assert.equal((await switcher.infer([3])).status, 200);
    assert.match(await switcher.metrics(), /assigned_batch\{.*\} 4\n/);
  });

  it("goes to a variant that works when one breaks its thread again and again, and says why", async () => {
    assert.equal((await switcher.pin("b")).status, 200);
    for (let i = 0; i < 3; i++) await switcher.infer([CRASH]);
    await until(async () => (await switcher.variants())["b"]?.state === "quarantined", "quarantined");
    assert.match((await switcher.variants())["b"]?.reason ?? "", /its session was lost 5 times/);
    await until(async () => (await switcher.infer([3])).body.model_version === "a", "serving a");
  });

  it("is patient for longer each time with a variant that loads, but breaks its thread while it serves", async () => {
    assert.equal((await switcher.pin("b")).status, 200);
    for (let i = 0; i < 3; i++) await switcher.infer([CRASH]);
    const untilServing = (variant: string) =>
      until(async () => (await switcher.infer([3])).body.model_version === variant, `serving ${variant}`);
    await untilServing("a");
    await untilServing("b");
    const fromMs = performance.now();
    await switcher.infer([CRASH]);
    assert.match((await switcher.variants())["b"]?.reason ?? "", /its session was lost \d+ times/);
    await untilServing("a");
    await untilServing("b");
    assert.ok(performance.now() - fromMs > 9000);
  });

  it("serves by what is in memory until the lost one is there again, and does not lose that", async () => {
    await switcher.pin("b");
    await switcher.pin("a");
    await switcher.infer([DIE_LATER]);
    const recoveries = async () =>
      (await switcher.switches()).flatMap(({ to, cause, outcome }) =>
        cause === "recovery" ? [`${to} ${outcome}`] : [],
      );
    await until(async () => (await recoveries()).join() === "b done,a done", "recovered");
    await switcher.pin("b");
    assert.deepEqual(
      (await switcher.switches()).at(-1)?.steps.map(({ step }) => step),
      ["swap"],
    );
  });
});

describe("Session.close()", () => {
  it("never takes the process with it, whatever the thread is in the middle of", function () {
    this.timeout(300_000);
    const program = fileURLToPath(new URL("../support/abort-while-running.js", import.meta.url));
    const { stdout, stderr, signal } = spawnSync(process.execPath, [program], { encoding: "utf8" });
    assert.deepEqual([stdout, stderr, signal], ["survived", "", null]);
  });
});
