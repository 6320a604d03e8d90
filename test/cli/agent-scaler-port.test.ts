import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { DEFAULT_LIMITS } from "../../agent/limits.ts";
import { replay } from "../../agent/replay.ts";
import { AgentSession } from "../../agent/session.ts";
import { parseTranscript, type TranscriptLine, transcriptText } from "../../agent/transcript.ts";
import { openScalerPort } from "../../cli/agent/scaler-port.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import type { FakeSwitcher } from "../scaler/support/fake-switcher.ts";
import { RunningScaler } from "../scaler/support/running-scaler.ts";
import { testPipeline } from "../scaler/support/test-pipeline.ts";

const TOKEN = "token-of-the-scaler";

describe("an agent at a running scaler", () => {
  let running: RunningScaler;
  beforeEach(async () => {
    running = await RunningScaler.start({ token: TOKEN });
    await running.planFor(20);
  });
  afterEach(() => running.close());

  const portOf = (pipeline: Pipeline = testPipeline(), token = TOKEN) =>
    openScalerPort(pipeline, running.url(""), {}, { VARISCALE_TOKEN: token });

  it("sees what the scaler knows, and acts on it until the time is over", async () => {
    const port = await portOf();
    const situation = await port.situation();
    assert.equal(situation.load?.rateRps, 20);
    assert.deepEqual(situation.plan?.stages, running.board?.plan?.stages);
    assert.deepEqual(situation.forecast, running.board?.forecast);
    assert.ok(situation.recentRps.length > 0 && situation.recentRps.includes(20));
    const lines: TranscriptLine[] = [];
    const budget = { calls: 9, tokens: 9, seconds: 60 };
    const session = new AgentSession({
      port,
      mode: "act",
      limits: DEFAULT_LIMITS,
      budget,
      ttlMs: 60_000,
      model: null,
      key: null,
      clockMs: () => performance.now(),
      write: line => lines.push(line),
    });
    const pins = [{ stage: "read", variant: "light" }];
    const told = (await session.call("propose", { change: { kind: "pins", pins }, why: "less work" })) as {
      readonly applied: boolean;
    };
    assert.equal(told.applied, true);
    await running.runUntil(board => board.reasons.includes("tuned"));
    assert.equal(running.board?.plan?.stages[1]?.parts[0]?.variant, "light");
    assert.equal((await port.situation()).tuning.pins[0]?.variant, "light");
    const start = {
      kind: "start",
      version: 1,
      at: "",
      mode: "act",
      model: "m",
      limits: DEFAULT_LIMITS,
      budget,
    } as const;
    const text = [start, ...lines].map(line => transcriptText(line, TOKEN)).join("\n");
    assert.deepEqual(
      replay(parseTranscript(text, "t")).map(({ isSame }) => isSame),
      [true],
    );
    await running.clock.advance(61_000);
    assert.deepEqual((await port.situation()).tuning.pins, []);
  });

  it("plans with the fan-outs that the scaler has learnt", async () => {
    const switchers: FakeSwitcher[] = [];
    let rows = 0;
    const reportThreeRowsARequest = () => {
      const asked = running.board?.stages[0]?.replicasNow ?? 1;
      while (switchers.length < asked) switchers.push(running.switcher({ pod: `detect-${switchers.length}` }));
      rows += 60;
      for (const [i, switcher] of switchers.entries())
        switcher.report({ servedRows: String(i === 0 ? rows : 0), droppedRows: "0" });
    };
    const readPlanned = () => running.board?.fanOuts["detect"]?.planned ?? 1;
    await running.runUntil(() => readPlanned() > 2, reportThreeRowsARequest);
    await running.clock.advance(1000);
    const [detect, read] = (await (await portOf()).situation()).pipeline.stages;
    assert.deepEqual([detect?.fanOut.default, read?.fanOut.default], [readPlanned(), 1]);
  });

  it("is refused what needs the token without it, and says so to the model", async () => {
    const port = await portOf(testPipeline(), "");
    const { tuning } = await port.situation();
    await assert.rejects(port.apply({ ...tuning, forecastQuantile: 0.99 }, 5000, ""), { code: "permission_denied" });
    assert.equal((await port.situation()).tuning.forecastQuantile, null);
  });

  it("will not check with another pipeline file than the scaler's", async () => {
    const file = testPipeline();
    const other = { ...file, slo: { ...file.slo, latencyMs: file.slo.latencyMs + 1 } };
    await assert.rejects(
      (await portOf(other)).situation(),
      /the pipeline file is not the one that the scaler has of shop\/cards/,
    );
  });
});
