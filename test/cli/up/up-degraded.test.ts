import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { TestFolder } from "../../support/switcher-harness.ts";
import { sendNumber } from "../support/requests.ts";
import { writeTinyPipeline } from "../support/tiny-pipeline.ts";
import { UpProcess } from "../support/up-process.ts";

describe("variscale up with a model that is not what the file says, and a state folder that can't be written", function () {
  this.timeout(300_000);
  let folder: TestFolder;
  let up: UpProcess;

  before(async () => {
    folder = new TestFolder();
    writeTinyPipeline(folder.path, { corrupt: "first-light" });
    // Root may write anywhere, but not below a file.
    writeFileSync(join(folder.path, "state"), "");
    up = await UpProcess.startReady(folder.path);
  });
  after(() => {
    up?.killAll();
    folder.delete();
  });

  it("serves another variant, and says in its API which one is left out and why", async () => {
    await up.pin({ stage: "first", variant: "light" });
    const lightOf = async () =>
      (await up.page()).switchers
        .find((one: { stage: string }) => one.stage === "first")
        ?.variants.find((one: { variant: string }) => one.variant === "light");
    await up.until(async () => (await lightOf())?.reason.includes("sha256") === true, "telling of the wrong sha256");
    const { status, variants } = await sendNumber(up.url, 4);
    assert.deepEqual([status, variants["first"]], [200, "heavy"]);
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
