import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { ScalerStub } from "../support/scaler-stub.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

const LOAD_MS = 1500;
const points = [{ batch: 1, latencyMs: 1 }];

describe("an Assignment that something stands against for a while", () => {
  let folder: TestFolder;
  let scaler: ScalerStub;
  let switcher: TestSwitcher;

  beforeEach(async () => {
    folder = new TestFolder();
    scaler = await ScalerStub.start();
    const emulated = [
      { name: "light", points },
      { name: "heavy", points: [{ batch: 1, latencyMs: 100 }] },
      { name: "big", points, loadMs: LOAD_MS },
      { name: "endless", points, loadMs: 100_000 },
    ];
    const variants = emulated.map(variant => ({ driver: "emulated", ...variant }));
    const missing = { name: "missing", model: "nothing.onnx", sha256: "0".repeat(64) };
    const config = { variants: [...variants, missing], defaultVariant: "light", scalerAddress: scaler.address };
    switcher = await TestSwitcher.start(affineConfig(folder.path, config));
    await scaler.untilConnected();
    assign(1, "heavy", 500);
    await scaler.untilAcked(1);
    await until(async () => (await switcher.variants())["light"]?.state === "resident", "the fallback is resident");
  });
  afterEach(async () => {
    await switcher.close();
    scaler.stop();
    folder.delete();
  });

  const assign = (counter: number, variant: string, dwellMs: number) =>
    scaler.assign(counter, {
      variant,
      fallbackVariant: "light",
      batch: 1,
      overload: { enterQueueMs: 30, exitQueueMs: 10, dwellMs },
    });
  const served = async () => (await switcher.infer([1])).body.model_version;
  const to = async () => (await switcher.switches()).map(record => `${record.to} ${record.outcome}`);
  const untilLoading = (variant: string) =>
    until(async () => (await switcher.variants())[variant]?.state === "loading", `loading ${variant}`);
  /** More than the heavy variant bears, until the switcher protects itself. */
  const overload = async () => {
    const burst = Promise.all(Array.from({ length: 8 }, (_, i) => switcher.infer([i])));
    await until(async () => (await served()) === "light", "protecting");
    await burst;
  };

  it("is gone to after its own overload rule has overtaken its load", async () => {
    assign(2, "big", 500);
    await untilLoading("big");
    await overload();
    assert.equal((await scaler.untilNacked(2)).code, "superseded");
    await scaler.untilAcked(2);
    await until(async () => (await served()) === "big", "served");
    assert.equal(scaler.nacks.length, 1);
  });

  it("is gone to after the pin that has overtaken its load", async () => {
    assign(2, "big", 500);
    await untilLoading("big");
    assert.equal((await switcher.pin("light")).status, 200);
    assert.equal((await scaler.untilNacked(2)).code, "pinned");
    await switcher.admin("assignment", { method: "DELETE", headers: { "if-match": "*" } });
    await scaler.untilAcked(2);
    assert.equal(await served(), "big");
    assert.deepEqual((await to()).slice(1), ["big superseded", "light done", "big done"]);
  });

  it("is gone to where the pin that has overtaken it fails", async () => {
    assign(2, "big", 500);
    await untilLoading("big");
    assert.equal((await switcher.pin("missing")).status, 409);
    await scaler.untilAcked(2);
    assert.equal(await served(), "big");
  });

  it("holds up no pin while it gets ready", async () => {
    assign(2, "heavy", 20_000);
    await scaler.untilAcked(2);
    await overload();
    assign(3, "endless", 500);
    await untilLoading("endless");
    assert.equal((await switcher.pin("heavy")).status, 200);
    assert.equal((await switcher.variants())["endless"]?.state, "loading");
    assert.equal((await switcher.pin("big")).status, 200);
    assert.equal((await switcher.variants())["endless"]?.state, "absent");
    assert.equal((await scaler.untilNacked(3)).code, "pinned");
    assert.equal(await served(), "big");
  });

  it("gives way to a newer one while it gets ready", async () => {
    assign(2, "heavy", 20_000);
    await scaler.untilAcked(2);
    await overload();
    assign(3, "endless", 20_000);
    await untilLoading("endless");
    assign(4, "big", 20_000);
    assert.equal((await scaler.untilNacked(3)).code, "superseded");
    await scaler.untilAcked(4);
  });

  it("is not served before it is refused for a pin", async () => {
    assign(2, "heavy", 20_000);
    await scaler.untilAcked(2);
    await overload();
    assign(3, "big", 500);
    await untilLoading("big");
    assert.equal((await switcher.pin("light")).status, 200);
    assert.equal((await scaler.untilNacked(3)).code, "pinned");
    assert.equal(await served(), "light");
    assert.ok(!(await to()).join().includes("big"));
    assert.equal((await switcher.pin("light", 1, 1)).status, 200);
    await scaler.untilAcked(3);
    assert.equal(await served(), "big");
  });

  it("is not served where a newer one was applied while it got ready", async () => {
    assign(2, "heavy", 20_000);
    await scaler.untilAcked(2);
    await overload();
    assign(3, "big", 500);
    await untilLoading("big");
    assign(4, "light", 500);
    await scaler.untilAcked(4);
    assert.equal((await scaler.untilNacked(3)).code, "superseded");
    assert.equal(await served(), "light");
    assert.ok(!(await to()).join().includes("big"));
  });
});
