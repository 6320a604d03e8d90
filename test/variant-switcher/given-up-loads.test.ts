import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { HOLD, LOADS } from "../support/held-worker.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

describe("a load that is given up", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;

  beforeEach(() => {
    folder = new TestFolder();
    process.env[LOADS] = join(folder.path, "loads");
    process.env[HOLD] = join(folder.path, "hold");
    writeFileSync(process.env[LOADS], "");
  });
  afterEach(async () => {
    letGo();
    await switcher.close();
    delete process.env[LOADS];
    delete process.env[HOLD];
    folder.delete();
  });

  const start = async (memoryMiB: number) => {
    const workerUrl = new URL("../support/held-worker.js", import.meta.url);
    const config = affineConfig(folder.path, { memoryMiB });
    const variants = (config["variants"] as object[]).map(variant => ({ ...variant, memoryMiB: 6000 }));
    switcher = await TestSwitcher.startReady({ ...config, variants }, { workerUrl });
  };
  const hold = () => writeFileSync(process.env[HOLD] ?? "", "");
  const letGo = () => rmSync(process.env[HOLD] ?? "", { force: true });
  const loads = () => readFileSync(process.env[LOADS] ?? "", "utf8").split("\n").length - 1;
  const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;

  it("counts as memory until its thread has ended, and the next one waits for it", async () => {
    await start(13_000);
    hold();
    const first = switcher.pin("b");
    await until(() => loads() === 2, "loading b");
    const second = switcher.pin("c");
    assert.equal(await codeOf(await first), "superseded");
    await sleep(500);
    assert.equal(loads(), 2);
    assert.equal((await switcher.infer([3])).body.model_version, "a");
    letGo();
    assert.equal((await second).status, 200);
    assert.equal(loads(), 3);
  });

  it("holds up nobody where there is memory for both", async () => {
    await start(19_000);
    hold();
    const first = switcher.pin("b");
    await until(() => loads() === 2, "loading b");
    const second = switcher.pin("c");
    await until(() => loads() === 3, "loading c");
    letGo();
    assert.equal(await codeOf(await first), "superseded");
    assert.equal((await second).status, 200);
  });
});
