import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

const LOAD_MS = 800;
const TTL_MS = 300;

describe("a pin", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;
  const pinNow = async () =>
    ((await (await switcher.admin("assignment")).json()) as { pin: { variant: string } | null }).pin?.variant ?? null;
  const untilLoading = (variant: string) =>
    until(async () => {
      const { to, outcome } = (await switcher.switches()).at(-1) ?? {};
      return to === variant && outcome === "running";
    }, `loading ${variant}`);

  beforeEach(async () => {
    folder = new TestFolder();
    const points = [{ batch: 1, latencyMs: 1 }];
    const emulated = [
      { name: "default" },
      { name: "quick" },
      { name: "slow", loadMs: LOAD_MS },
      { name: "endless", loadMs: 100_000 },
    ].map(variant => ({ driver: "emulated", points, ...variant }));
    const missing = { name: "missing", model: "nothing.onnx", sha256: "0".repeat(64) };
    const above = { variants: [...emulated, missing], defaultVariant: "default" };
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, above));
  });
  afterEach(async () => {
    await switcher.close();
    folder.delete();
  });

  it("that fails does not leave one behind that it has overtaken", async () => {
    const overtaken = switcher.pin("endless");
    await untilLoading("endless");
    assert.equal((await switcher.pin("missing")).status, 409);
    assert.equal((await overtaken).status, 409);
    assert.equal(await pinNow(), null);
  });

  it("that fails leaves the one that holds", async () => {
    assert.equal((await switcher.pin("quick")).status, 200);
    const overtaken = switcher.pin("endless");
    await untilLoading("endless");
    assert.equal((await switcher.pin("missing")).status, 409);
    assert.equal((await overtaken).status, 409);
    assert.equal(await pinNow(), "quick");
  });

  it("is not ended by the expiry of the one before it while it loads", async () => {
    assert.equal((await switcher.pin("quick", 1, TTL_MS)).status, 200);
    assert.equal((await switcher.pin("slow")).status, 200);
    assert.equal(await pinNow(), "slow");
    assert.equal((await switcher.infer([1])).body.model_version, "slow");
  });

  it("that fails after the one before it has expired gives way to the Assignment", async () => {
    assert.equal((await switcher.pin("quick", 1, TTL_MS)).status, 200);
    const overtaken = switcher.pin("endless");
    await untilLoading("endless");
    await sleep(2 * TTL_MS);
    assert.equal((await switcher.pin("missing")).status, 409);
    assert.equal((await overtaken).status, 409);
    assert.equal(await pinNow(), null);
    await until(async () => (await switcher.infer([1])).body.model_version === "default", "back");
  });

  it("that loads is a change to whoever has read what was assigned before", async () => {
    const etagNow = async () => (await switcher.admin("assignment")).headers.get("etag") ?? "";
    const before = await etagNow();
    const pinned = switcher.pin("endless");
    await untilLoading("endless");
    const remove = (etag: string) => switcher.admin("assignment", { method: "DELETE", headers: { "if-match": etag } });
    assert.equal((await remove(before)).status, 412);
    assert.equal((await remove(await etagNow())).status, 200);
    assert.equal((await pinned).status, 409);
    assert.equal(await pinNow(), null);
  });

  it("ends where the process was busy at the time", async () => {
    await switcher.close();
    const untilMs = (endMs: number) => {
      while (performance.now() < endMs);
    };
    const write = (line: string) => line.includes('"cause":"pin"') && untilMs(performance.now() + TTL_MS + 100);
    const logger = pino({ level: "info" }, { write });
    const points = [{ batch: 1, latencyMs: 1 }];
    const variants = ["default", "quick"].map(name => ({ driver: "emulated", points, name }));
    const above = { variants, defaultVariant: "default" };
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, above), { logger });
    assert.equal((await switcher.pin("quick", 1, TTL_MS)).status, 200);
    await until(async () => (await pinNow()) === null, "expired");
  });
});
