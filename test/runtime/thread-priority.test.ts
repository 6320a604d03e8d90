import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { getPriority } from "node:os";
import { promisify } from "node:util";
import { describe, it } from "mocha";

const MODULE = new URL("../../runtime/thread-priority.js", import.meta.url).href;
/** These tests may be run by `nice`. */
const USUAL = getPriority();
const SHOW = `
  const priorities = ids => ids.map(id => os.getPriority(Number(id)));
  const tasks = () => fs.readdirSync("/proc/self/task");`;

describe("thread priority", () => {
  before(function () {
    if (process.platform !== "linux") this.skip();
  });

  it("lets V8's helpers give way to the main thread, and nothing that is started later", async () => {
    const { main, others, later } = (await inChild(`
      lowerOtherThreads();
      const before = tasks();
      const worker = new Worker("setInterval(() => {}, 1000)", { eval: true });
      worker.once("online", () => {
        const later = tasks().filter(id => !before.includes(id));
        show({
          main: os.getPriority(process.pid),
          others: priorities(before.filter(id => Number(id) !== process.pid)),
          later: priorities(later),
        });
        process.exit(0);
      });`)) as { main: number; others: number[]; later: number[] };
    assert.equal(main, USUAL);
    assert.ok(others.length >= 2, `${others.length} threads beside the main one`);
    assert.deepEqual([...new Set(others)], [10]);
    assert.deepEqual([...new Set(later)], [USUAL]);
  });

  it("lets a worker's thread give way, and no other", async () => {
    const { worker, main } = (await inChild(`
      const code = \`(async () => {
        (await import("${MODULE}")).lowerThisThread();
        const id = Number(require("node:fs").readlinkSync("/proc/thread-self").split("/").at(-1));
        require("node:worker_threads").parentPort.postMessage(require("node:os").getPriority(id));
      })()\`;
      new Worker(code, { eval: true, execArgv: [] }).once("message", worker => show({ worker, main: os.getPriority(process.pid) }));`)) as {
      worker: number;
      main: number;
    };
    assert.deepEqual({ worker, main }, { worker: 10, main: USUAL });
  });
});

/** What `code` shows when it runs in a process of its own, started at the usual priority. */
async function inChild(code: string): Promise<unknown> {
  const script = `
    import * as fs from "node:fs";
    import * as os from "node:os";
    import { Worker } from "node:worker_threads";
    import { lowerOtherThreads } from "${MODULE}";
    ${SHOW}
    const show = found => process.stdout.write(JSON.stringify(found));
    ${code}`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  return JSON.parse(stdout);
}
