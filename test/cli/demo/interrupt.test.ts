import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { packageFolder } from "../../../runtime/version.ts";
import { TestFolder } from "../../support/switcher-harness.ts";
import { descendants, isAlive } from "../support/processes.ts";

describe("variscale demo, interrupted", function () {
  this.timeout(300_000);
  let folder: TestFolder;
  let demo: ChildProcess;
  let started: number[];

  beforeEach(() => {
    folder = new TestFolder();
    started = [];
    mkdirSync(join(folder.path, "tmp"));
    const main = join(packageFolder, "dist/cli/main.js");
    demo = spawn(process.execPath, [main, "demo", "--short", "--model-folder", join(folder.path, "models")], {
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, TMPDIR: join(folder.path, "tmp") },
    });
  });
  afterEach(() => {
    for (const pid of [demo.pid!, ...started]) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    folder.delete();
  });

  const leavesNothing = async (interrupt: () => void): Promise<void> => {
    while (started.length === 0) {
      assert.equal(demo.exitCode, null);
      await sleep(10);
      started = descendants(demo.pid!);
    }
    const ended = new Promise(resolve => demo.once("exit", resolve));
    interrupt();
    assert.equal(await ended, 130);
    assert.deepEqual(started.filter(isAlive), []);
    assert.deepEqual(readdirSync(join(folder.path, "tmp")), []);
  };

  it("ends on Ctrl-C while a run starts, and leaves neither a process nor a temporary file", async () => {
    demo.stderr?.resume();
    await leavesNothing(() => {
      process.kill(-demo.pid!, "SIGINT");
      // As where a parent passes it on, which npx does.
      setTimeout(() => demo.kill("SIGINT"), 5);
    });
  });

  it("leaves nothing when nobody reads its progress any more", async () => {
    demo.stderr?.resume();
    await leavesNothing(() => demo.stderr?.destroy());
  });
});
