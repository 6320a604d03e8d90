import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { ScalerStub } from "../support/scaler-stub.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";
import { OldSwitcherControl } from "./old-switcher-control.ts";

describe("a switcher at a scaler of version 0.1.0", () => {
  const folder = new TestFolder();
  let scaler: ScalerStub;
  let switcher: TestSwitcher;

  beforeEach(async () => {
    scaler = await ScalerStub.start(0, OldSwitcherControl);
    switcher = await TestSwitcher.start(affineConfig(folder.path, { scalerAddress: scaler.address }));
    await scaler.untilConnected();
  });
  afterEach(async () => {
    await switcher.close();
    scaler.stop();
    folder.delete();
  });

  it("says hello, obeys, refuses and reports in fields that this one knows", async () => {
    const [hello] = scaler.hellos;
    assert.deepEqual(hello?.protocolVersions, [1]);
    assert.deepEqual(
      [hello?.namespace, hello?.pipeline, hello?.stage, hello?.pod],
      ["default", "test", "affine", "affine-0"],
    );
    scaler.assign(1, { variant: "b" });
    await scaler.untilAcked(1);
    await switcher.untilReady();
    assert.equal((await switcher.infer([1])).body.model_version, "b");
    scaler.assign(2, { variant: "none" });
    assert.equal((await scaler.untilNacked(2)).code, "unknown_variant");
    await until(() => scaler.statuses.at(-1)?.servedRows === 1, "reported");
    const told = scaler.statuses.at(-1);
    assert.deepEqual([told?.applied?.counter, told?.variant, told?.batch, told?.ready], [1, "b", 4, true]);
    assert.ok(told?.residentVariants.includes("b"));
    assert.deepEqual(
      told?.variants.map(({ variant }) => variant),
      ["a", "b", "c"],
    );
  });

  it("goes on where it is asked for a token that it does not have, and ends when it is told to drain", async () => {
    scaler.assign(1);
    await scaler.untilAcked(1);
    scaler.send({ showToken: {} });
    scaler.send({ drain: { graceMs: 1000 } });
    await until(() => scaler.ended === 1, "drained");
    assert.deepEqual(scaler.tokens, []);
  });
});
