import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { SwitcherVariant } from "../../variant-switcher/config.ts";
import { SessionMemory } from "../../variant-switcher/session-memory.ts";
import { TestFolder } from "../support/switcher-harness.ts";

const MIB = 1024 * 1024;

describe("SessionMemory", () => {
  let folder: TestFolder;
  let memory: SessionMemory;
  const variant = { name: "a", driver: "onnx", model: "a.onnx", memoryMiB: null } as unknown as SwitcherVariant;

  beforeEach(() => {
    folder = new TestFolder();
    memory = new SessionMemory(folder.path);
    writeFileSync(join(folder.path, "a.onnx"), Buffer.alloc(4 * MIB));
  });
  afterEach(() => folder.delete());

  it("goes by the Profile, else by what was measured last, else by a guess from the file's size", async () => {
    assert.equal(await memory.neededMiB(variant), 24);
    memory.measured("a", 50);
    memory.measured("a", 40);
    assert.equal(await memory.neededMiB(variant), 40);
    assert.equal(await memory.neededMiB({ ...variant, memoryMiB: 30 }), 30);
  });

  it("takes what a load in a kept thread seemed to need for no less than the guess, and not for what is known better", async () => {
    await memory.measuredInSpare(variant, 3);
    assert.equal(await memory.neededMiB(variant), 24);
    await memory.measuredInSpare(variant, 900);
    assert.equal(await memory.neededMiB(variant), 24);
    memory.measured("a", 40);
    await memory.measuredInSpare(variant, 3);
    assert.equal(await memory.neededMiB(variant), 40);
  });

  it("takes more than the guess for what it is where nothing else is known", async () => {
    await memory.measuredInSpare(variant, 60);
    assert.equal(await memory.neededMiB(variant), 60);
  });
});
