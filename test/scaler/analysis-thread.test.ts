import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import type { MadePlan } from "../../explanation/explain-decision.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { AnalysisThread, type AnalysisThreadOptions } from "../../scaler/threads/analysis-thread.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const pipeline = testPipeline();
const limits = { cores: null, machineCores: null };
const problem = { pipeline, rateRps: 50, current: null, corrections: {}, excluded: {}, pins: [], limits, bounds: {} };
const decision: MadePlan = { plan: optimize(problem), corrections: {}, given: null, before: null };

describe("AnalysisThread", () => {
  let thread: AnalysisThread;
  const start = (options: AnalysisThreadOptions = {}) => {
    thread = new AnalysisThread(options);
  };
  afterEach(() => thread.close());

  /** A thread that does nothing with what it is asked, or ends at it. */
  const script = (text: string) => new URL(`data:text/javascript,${encodeURIComponent(text)}`);
  const silent = script('import { parentPort } from "node:worker_threads"; parentPort.on("message", () => {});');
  const dying = script(
    'import { parentPort, threadId } from "node:worker_threads"; parentPort.on("message", () => process.exit(threadId));',
  );

  it("explains one after the other, and the same decision once", async () => {
    start();
    const [first, again, other] = await Promise.all([
      thread.analyse("a", pipeline, decision),
      thread.analyse("a", pipeline, decision),
      thread.analyse("b", pipeline, decision),
    ]);
    assert.equal(again, first);
    assert.notEqual(other, first);
    assert.deepEqual(other, first);
    assert.ok(first.front.length > 0);
  });

  it("refuses what is too much, and goes on when the others are done", async () => {
    start({ workerUrl: silent, answerWithinMs: 300 });
    const asked = Array.from({ length: 9 }, (_, i) => thread.analyse(String(i), pipeline, decision));
    const settled = await Promise.allSettled(asked);
    const codes = settled.map(result =>
      result.status === "rejected" ? (result.reason as { code: string }).code : "ok",
    );
    assert.deepEqual(codes, [...new Array<string>(8).fill("unavailable"), "resource_exhausted"]);
    await assert.rejects(thread.analyse("0", pipeline, decision), /no answer within 300 ms/);
  });

  it("says so when its thread dies, and starts another one for the next question", async () => {
    start({ workerUrl: dying });
    const codes: (string | undefined)[] = [];
    for (let i = 0; i < 2; i++)
      await thread.analyse("a", pipeline, decision).catch((error: Error) => {
        codes.push(/could not be computed: its thread ended with code (\d+)/.exec(error.message)?.[1]);
      });
    assert.ok(codes[0] && codes[1] && codes[0] !== codes[1], codes.join());
  });

  it("ends its thread when it is idle, and starts it again", async () => {
    start({ idleMs: 1 });
    await thread.analyse("a", pipeline, decision);
    await new Promise(resolve => setTimeout(resolve, 100));
    assert.equal(thread.isRunning, false);
    assert.ok((await thread.analyse("b", pipeline, decision)).front.length > 0);
  });
});
