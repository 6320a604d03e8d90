import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";

const LOGGER = JSON.stringify(join(packageFolder, "dist/runtime/logger.js"));

describe("createLogger()", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-logger-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs a script that has a `logger`, with standard error as a file. */
  function run(script: string, stderr: string, ...flags: readonly string[]) {
    const file = openSync(stderr, "a");
    const text = `import { createLogger } from ${LOGGER}; const logger = createLogger("test", "info"); ${script}`;
    const args = [...flags, "--input-type=module", "--eval", text];
    const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", "ignore", file] });
    closeSync(file);
    return status;
  }

  it("writes an object a line", () => {
    const log = join(folder, "log");
    assert.equal(run(`logger.warn({ pods: 2 }, "low");`, log), 0);
    const { level, process: name, pods, msg } = JSON.parse(readFileSync(log, "utf8"));
    assert.deepEqual({ level, name, pods, msg }, { level: "warn", name: "test", pods: 2, msg: "low" });
  });

  it("lets a process go on where there is no room for its lines, and keeps few of them", function () {
    if (!existsSync("/dev/full")) return this.skip();
    const lines = `const text = "x".repeat(1000); for (let i = 0; i < 100_000; i++) logger.info({ i, text }, "line");`;
    assert.equal(run(lines, "/dev/full", "--max-old-space-size=40"), 0);
  });
});
