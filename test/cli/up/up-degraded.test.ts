import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { TestFolder } from "../../support/switcher-harness.ts";
import { sendNumber } from "../support/requests.ts";
import { writeTinyPipeline } from "../support/tiny-pipeline.ts";
import { UpProcess } from "../support/up-process.ts";

describe("variscale up with a model that is changed while it serves, and a state folder that can't be written", function () {
  this.timeout(300_000);
  let folder: TestFolder;
  let up: UpProcess;

  before(async () => {
    folder = new TestFolder();
    writeTinyPipeline(folder.path);
    // Root may write anywhere, but not below a file.
    writeFileSync(join(folder.path, "state"), "");
    // In shadow mode no heavy variant is loaded by itself.
    up = await UpProcess.startReady(folder.path, ["--set", "spec.mode=shadow"]);
    writeFileSync(join(folder.path, "first-heavy.onnx"), "another model");
  });
  after(() => {
    up?.killAll();
    folder.delete();
  });

  it("goes on with what it serves where a pin can't be loaded, says so with variant, code and message, and takes it no more", async () => {
    await fetch(`${up.api}/mode`, { method: "PUT", body: '{"mode":"active"}' });
    await up.pin({ stage: "first", variant: "heavy" });
    const failed = async () =>
      (await up.page()).board.conditions.find((one: { type: string }) => one.type === "VariantsUsable");
    await up.until(async () => (await failed())?.status === false, "telling of the wrong sha256");
    assert.match((await failed()).message, /^first\/heavy is left out .*sha256_mismatch: .*its pin is not followed/);
    const { status, variants } = await sendNumber(up.url, 4);
    assert.deepEqual([status, variants["first"]], [200, "light"]);
    const body = JSON.stringify({ stage: "first", variant: "heavy", ttlMs: 60_000 });
    const refused = await fetch(`${up.api}/pin`, { method: "PUT", body });
    assert.equal(refused.status, 412);
    assert.match(await refused.text(), /first\/heavy can't be served now: sha256_mismatch/);
  });

  it("says in its API that its state is not kept", async () => {
    const saved = async () =>
      (await up.page()).processConditions.find((one: { type: string }) => one.type === "StateSaved");
    const { status, message } = await saved();
    assert.equal(status, false);
    assert.match(message, /state/);
  });

  it("ends in order on Ctrl-C, which reaches none of the processes that it has started", async () => {
    const before = up.stderr.length;
    assert.equal(await up.end("SIGINT", "group"), 0);
    assert.doesNotMatch(up.stderr.slice(before), /"process":"(gateway|variant-switcher)".*"reason":"SIGINT"/);
    assert.doesNotMatch(up.stderr.slice(before), /starting it again/);
  });
});
