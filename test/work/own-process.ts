import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, it } from "mocha";

/** It is set in a process that runs the tests of one file alone. */
const OWN_PROCESS = "VARISCALE_TEST_COUNTS_WORK";

/**
 * Runs the tests that `define` makes in a process of their own, where nothing else has run or runs beside them. In the process of all tests they are
 * one test.
 *
 * @param url the module that calls this; it defines no other tests.
 */
export function describeInOwnProcess(title: string, url: string, define: (this: Mocha.Suite) => void): void {
  if (process.env[OWN_PROCESS] === undefined) it(title, () => runInOwnProcess(url)).timeout(600_000);
  else describe(title, define);
}

async function runInOwnProcess(url: string): Promise<void> {
  const mocha = createRequire(import.meta.url).resolve("mocha/bin/mocha.js");
  const child = spawn(process.execPath, [mocha, "--no-config", fileURLToPath(url)], {
    env: { ...process.env, [OWN_PROCESS]: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  assert.equal(code, 0, said);
}
