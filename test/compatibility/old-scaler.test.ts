import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { ScalerStub } from "../support/scaler-stub.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";
import { OldSwitcherControl } from "./old-switcher-control.ts";

describe("a switcher at a scaler of version 0.1.0", () => {
  const folder = new TestFolder();
  let scaler: ScalerStub;
  let switcher: TestSwitcher;

  beforeEach(async () => {
    scaler = await ScalerStub.start(0, OldSwitcherControl);
    switcher = await TestSwitcher.start(affineConfig(folder.path, { scalerAddress: scaler.address }), {
      firstWordMs: 50,
    });
    await scaler.untilConnected();
  });
  afterEach(async () => {
    await switcher.close();
    scaler.stop();
    folder.delete();
  });

  it("says in a hello that it can read which protocol it speaks, and serves by itself", async () => {
    const [hello] = scaler.hellos;
    assert.deepEqual(
      [hello?.protocolVersions, hello?.namespace, hello?.pipeline, hello?.stage, hello?.pod],
      [[2], "default", "test", "affine", "affine-0"],
    );
    await switcher.untilReady();
    assert.equal((await switcher.infer([1])).body.model_version, "a");
  });

  it("refuses what such a scaler assigns, with the reason, and serves on", async () => {
    await switcher.untilReady();
    // The fields of then are no part of what can be sent now: the old contract writes them.
    const assignment = { version: { epoch: 1, counter: 2 }, variant: "b", batch: 4, fallbackVariant: "a" };
    scaler.send({ assignment } as Parameters<ScalerStub["send"]>[0]);
    const { message } = await scaler.untilNacked(2);
    assert.match(message, /the assignment is of no use: it has 0 rungs/);
    assert.equal((await switcher.infer([1])).body.model_version, "a");
  });
});
