import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";

describe("scripts/test-cluster.mjs", () => {
  it("says what to do where nothing is built", () => {
    const folder = new TestFolder();
    try {
      cpSync(join(packageFolder, "scripts"), join(folder.path, "scripts"), { recursive: true });
      const script = join(folder.path, "scripts/test-cluster.mjs");
      const { status, stderr } = spawnSync(process.execPath, [script, "--part=1/2"], { encoding: "utf8" });
      assert.equal(status, 1);
      assert.equal(stderr, "test:cluster failed: dist/test/cluster is not there; run `npm run build` first\n");
    } finally {
      folder.delete();
    }
  });
});
