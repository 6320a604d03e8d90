import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { KeptProcess } from "../../../cli/up/kept-process.ts";
import { TestFolder, until } from "../../support/switcher-harness.ts";
import { ENDS_AT_ONCE, rememberingLogger, switcherArgs } from "../support/replica-files.ts";

describe("KeptProcess", () => {
  let folder: TestFolder;
  let kept: KeptProcess | null;
  let starts: number;
  let ports: number[];
  let ends: (number | string)[];
  let log: ReturnType<typeof rememberingLogger>;

  beforeEach(() => {
    folder = new TestFolder();
    kept = null;
    starts = 0;
    ports = [];
    ends = [];
    log = rememberingLogger();
  });
  afterEach(async () => {
    await kept?.stop(0);
    folder.delete();
  });

  const keep = (args: () => readonly string[], restartMs: number, onEnded = () => {}): KeptProcess => {
    kept = new KeptProcess({
      name: "one",
      args: () => {
        starts += 1;
        return args();
      },
      logger: log.logger,
      onListening: port => ports.push(port),
      onEnded: status => {
        ends.push(status);
        onEnded();
      },
      restartMs,
    });
    return kept;
  };
  const delays = () => log.lines.filter(line => line["delayMs"] !== undefined).map(line => line["delayMs"]);

  it("starts a process that ends again and again with a back-off that doubles", async () => {
    keep(() => ENDS_AT_ONCE, 5);
    await until(() => ends.length >= 4, "ended four times");
    assert.deepEqual(delays().slice(0, 4), [5, 10, 20, 40]);
    assert.deepEqual(ends.slice(0, 4), [0, 0, 0, 0]);
    assert.equal(kept?.pid, undefined);
  });

  it("goes on trying where it can't even be started", async () => {
    keep(() => {
      if (starts < 3) throw new Error("no space left");
      return ENDS_AT_ONCE;
    }, 5);
    await until(() => ends.length >= 3, "tried three times");
    assert.deepEqual(ends.slice(0, 3), ["no space left", "no space left", 0]);
  });

  it("is not started again once it is stopped", async () => {
    const stopped = keep(() => ENDS_AT_ONCE, 20);
    await until(() => ends.length === 1, "ended");
    await stopped.stop(1000);
    await new Promise(resolve => setTimeout(resolve, 60));
    assert.equal(starts, 1);
  });

  it("is not started again where its end makes its owner stop it, however early that is", async () => {
    const fails = (): never => {
      throw new Error("no space left");
    };
    for (const args of [fails, () => ENDS_AT_ONCE]) {
      ends = [];
      const stopped = keep(args, 1, () => void stopped.stop(0));
      await until(() => ends.length > 0, "ended");
    }
    await new Promise(resolve => setTimeout(resolve, 60));
    assert.equal(starts, 2);
    assert.deepEqual(delays(), []);
  });

  it("tells each port that it listens on, and ends with nothing left", async () => {
    const serving = keep(() => switcherArgs(folder.path), 5);
    await until(() => ports.length === 1, "listening");
    const { pid } = serving;
    serving.kill();
    await until(() => ports.length === 2, "listening again");
    assert.deepEqual(ends, ["SIGKILL"]);
    assert.notEqual(serving.pid, pid);
    await serving.stop(5000);
    assert.equal(serving.pid, undefined);
    assert.equal(ends.length, 1);
  });
});
