import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, it } from "mocha";
import type { MeasureRequest } from "../../profiler/measure-messages.ts";
import { type MeasuringChild, startMeasuring } from "../../profiler/measuring-child.ts";
import { commandLine, descendants, isAlive } from "../cli/support/processes.ts";
import { AFFINE_CONTRACT } from "../support/models.ts";

/** So much that it is not sent at once. */
const OPEN: MeasureRequest = {
  kind: "open",
  source: { kind: "file", path: "/nowhere.onnx", sha256: "", contract: AFFINE_CONTRACT, threads: 1 },
  rows: [{ x: { datatype: "FP32", shape: [500_000], data: new Float32Array(500_000) } }],
};

describe("startMeasuring()", function () {
  this.timeout(60_000);

  /** One that has answered, and was killed since: nothing was told of its end yet. */
  async function startAndKill(): Promise<MeasuringChild> {
    const child = startMeasuring("first/light");
    await assert.rejects(child.ask(OPEN), /nowhere\.onnx can't be read/);
    const [pid = 0] = descendants(process.pid).filter(one => commandLine(one).join().includes("measure-process.js"));
    process.kill(pid, "SIGKILL");
    while (isAlive(pid));
    return child;
  }

  const ended = { code: "failed_precondition", message: /^the process that measures first\/light ended by SIGKILL\. / };

  it("says how the process ended, however much it was to be sent", async () => {
    const child = await startAndKill();
    await assert.rejects(child.ask(OPEN), ended);
  });

  it("says so at every question, long after its end too", async () => {
    const child = await startAndKill();
    await sleep(500);
    for (const kind of ["close", "close"] as const) await assert.rejects(child.ask({ kind }), ended);
    child.kill();
  });
});
