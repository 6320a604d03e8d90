import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { constants, getPriority } from "node:os";
import { afterEach, beforeEach, describe, it } from "mocha";
import { type Child, startChild } from "../../../cli/up/child-process.ts";
import { createLogger } from "../../../runtime/logger.ts";
import { TestFolder, until } from "../../support/switcher-harness.ts";
import { isAlive } from "../support/processes.ts";
import { ENDS_AT_ONCE, switcherArgs } from "../support/replica-files.ts";

describe("startChild()", () => {
  const logger = createLogger("test", "silent");
  let folder: TestFolder;
  let child: Child | null;
  let messages: { readonly kind?: string }[];

  beforeEach(() => {
    folder = new TestFolder();
    child = null;
    messages = [];
  });
  afterEach(async () => {
    child?.kill();
    await child?.gone;
    folder.delete();
  });

  const start = (args: readonly string[]): Child => {
    child = startChild(args, message => messages.push(message as object), logger);
    return child;
  };

  it("tells with what a process has ended, and takes messages and signals for it all the same", async () => {
    const ended = start(ENDS_AT_ONCE);
    assert.equal(await ended.gone, 0);
    ended.send({ kind: "late" });
    ended.kill();
    await ended.stop(1000);
  });

  it("passes on what the process says, has it give way to the gateway, and stops it", async () => {
    const serving = start(switcherArgs(folder.path));
    await until(() => messages.some(message => message.kind === "listening"), "listening");
    if (existsSync("/proc/self/environ")) {
      const environment = readFileSync(`/proc/${serving.pid}/environ`, "latin1");
      assert.match(environment, /MALLOC_ARENA_MAX=2\0/);
      assert.match(environment, /NODE_OPTIONS=--max-semi-space-size=1[ \0]/);
    }
    assert.equal(getPriority(serving.pid), Math.min(constants.priority.PRIORITY_LOW, getPriority() + 2));
    const autogroup = `/proc/${serving.pid}/autogroup`;
    if (existsSync(autogroup)) await until(() => /nice 2$/m.test(readFileSync(autogroup, "latin1")), "giving way");
    await serving.stop(5000);
    assert.equal(await serving.gone, 0);
    assert.ok(!isAlive(serving.pid!));
  });

  it("kills a process that does not stop", async () => {
    const hanging = start(switcherArgs(folder.path));
    await until(() => messages.length > 0, "listening");
    process.kill(hanging.pid!, "SIGSTOP");
    await hanging.stop(50);
    assert.equal(await hanging.gone, "SIGKILL");
  });

  it("stops a process that has just been started", async () => {
    const starting = start(switcherArgs(folder.path));
    await starting.stop(5000);
    assert.ok(!isAlive(starting.pid!));
    assert.deepEqual(messages, []);
  });
});
