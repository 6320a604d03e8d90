import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "mocha";
import { createLogger } from "../../runtime/logger.ts";
import { runSteps } from "../../runtime/shutdown.ts";

const logger = createLogger("test", "silent");

describe("runSteps()", () => {
  it("runs the steps one after another", async () => {
    const done: string[] = [];
    const step = (name: string, ms: number) => ({
      name,
      timeoutMs: 5000,
      run: () =>
        new Promise<void>(resolve =>
          setTimeout(() => {
            done.push(name);
            resolve();
          }, ms),
        ),
    });
    assert.equal(await runSteps([step("slow", 30), step("fast", 0)], logger), false);
    assert.deepEqual(done, ["slow", "fast"]);
  });

  it("goes on after a step that fails and one that never ends, and says that something failed", async () => {
    let reached = false;
    const failed = await runSteps(
      [
        { name: "fails", timeoutMs: 1000, run: () => Promise.reject(new Error("no")) },
        { name: "hangs", timeoutMs: 10, run: () => new Promise(() => undefined) },
        {
          name: "last",
          timeoutMs: 1000,
          run: async () => {
            reached = true;
          },
        },
      ],
      logger,
    );
    assert.deepEqual([failed, reached], [true, true]);
  });
});

describe("shutdownOnSignal()", () => {
  const program = (run: string) => `
    import { createLogger } from ${JSON.stringify(new URL("../../runtime/logger.js", import.meta.url).href)};
    import { shutdownOnSignal } from ${JSON.stringify(new URL("../../runtime/shutdown.js", import.meta.url).href)};
    shutdownOnSignal([{ name: "step", timeoutMs: 20000, run: () => ${run} }], createLogger("test", "silent"));
    setInterval(() => undefined, 1000);
    console.log("up");`;

  async function endOf(run: string, signals: readonly NodeJS.Signals[]): Promise<number | null> {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program(run)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    for (const signal of signals) {
      await once(child.stdout, "data");
      child.kill(signal);
    }
    const [code] = (await once(child, "exit")) as [number | null];
    return code;
  }

  it("ends with 0 after its steps, and with 1 when one fails", async () => {
    assert.equal(await endOf("Promise.resolve()", ["SIGTERM"]), 0);
    assert.equal(await endOf("Promise.reject(new Error('no'))", ["SIGINT"]), 1);
  });

  it("ends at once at a second signal", async () => {
    const waiting = "new Promise(() => setTimeout(() => console.log('waiting'), 600))";
    assert.equal(await endOf(waiting, ["SIGTERM", "SIGTERM"]), 1);
  });

  it("takes signals that come together for one", async () => {
    const ending = "new Promise(resolve => { console.log('ending'); setTimeout(resolve, 300); })";
    assert.equal(await endOf(ending, ["SIGINT", "SIGTERM"]), 0);
  });
});
