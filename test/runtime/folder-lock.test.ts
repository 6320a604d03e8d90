import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { lockFolder } from "../../runtime/folder-lock.ts";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";

describe("lockFolder()", () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  /** A process that holds the folder until it is killed. */
  const holdElsewhere = async (path: string) => {
    const module = JSON.stringify(join(packageFolder, "dist/runtime/folder-lock.js"));
    const code = `import(${module}).then(m => m.lockFolder(${JSON.stringify(path)}, "variscale up tiles")).then(() => {
      process.stdout.write("held"); setInterval(() => undefined, 1000); });`;
    const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    return child;
  };

  it("lets one process have a folder, by whatever path, and says who has it", async () => {
    const path = join(folder.path, "not-there-yet");
    const child = await holdElsewhere(path);
    try {
      const refusal = new RegExp(
        `${path} is in use by variscale up tiles \\(pid ${child.pid}, since 20.*\\): .*Stop that process, or name another folder by --state-dir`,
      );
      await assert.rejects(lockFolder(path, "second"), refusal);
      mkdirSync(path);
      symlinkSync(path, join(folder.path, "link"));
      await assert.rejects(lockFolder(join(folder.path, "link"), "second"), /is in use by variscale up tiles/);
      const other = await lockFolder(join(folder.path, "other"), "second");
      await other.release();
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("is free once its holder has released it, or was killed", async () => {
    const child = await holdElsewhere(folder.path);
    child.kill("SIGKILL");
    await once(child, "exit");
    const lock = await lockFolder(folder.path, "second");
    await assert.rejects(lockFolder(folder.path, "third"), new RegExp(`second \\(pid ${process.pid}`));
    await lock.release();
    await (await lockFolder(folder.path, "third")).release();
  });
});
