import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import type { Pipeline } from "../../domain/pipeline.ts";
import { RunningScaler } from "./support/running-scaler.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const MODE = "/api/v1/pipelines/shop/cards/mode";
const REFUSED = /policy `cocktail` lets variants of stage `detect` vote/;

/** In mode shadow; its policy would let the variants of a stage vote, or not. */
function pipelineOf(policy: "cocktail" | "default"): Pipeline {
  const plain = testPipeline({ mode: "shadow" });
  const votes = { correlation: 0.1, measured: [] };
  const stages = plain.stages.map(stage => (stage.name === "detect" ? { ...stage, votes } : stage));
  return { ...plain, objective: { ...plain.objective, policy }, stages };
}

describe("mode active of a scaler that can't tell gateways who votes", () => {
  let stateDir: string;
  let running: RunningScaler;
  const start = async (policy: "cocktail" | "default"): Promise<void> => {
    running = await RunningScaler.start({ pipelines: [pipelineOf(policy)], stateDir });
  };
  const setMode = async (mode: string, query = "") => {
    const response = await fetch(running.url(MODE + query), { method: "PUT", body: JSON.stringify({ mode }) });
    return { status: response.status, text: await response.text() };
  };
  const mode = async (): Promise<string> => {
    const response = await fetch(running.url(MODE));
    return ((await response.json()) as { readonly mode: string }).mode;
  };

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), "variscale-"));
  });
  afterEach(async () => {
    await running.close();
    rmSync(stateDir, { recursive: true });
  });

  it("refuses mode active of a pipeline that would vote, also as a dry run", async () => {
    await start("cocktail");
    for (const query of ["", "?dryRun=true"]) {
      const { status, text } = await setMode("active", query);
      assert.equal(status, 412);
      assert.match(text, REFUSED);
    }
    assert.equal((await setMode("shadow")).status, 200);
    assert.equal(await mode(), "shadow");
  });

  it("refuses mode active of a policy and a shape of pods that are only for planning", async () => {
    await start("default");
    const plain = pipelineOf("default");
    for (const [change, message] of [
      [{ policy: "oracle" }, /`spec\.objective\.policy` is only for planning/],
      [{ podShape: "variant" }, /`spec\.objective\.podShape` must be `stage` in mode `active`/],
    ] as const) {
      await running.scaler.pipelines.put({ ...plain, objective: { ...plain.objective, ...change } });
      const { status, text } = await setMode("active");
      assert.equal(status, 412);
      assert.match(text, message);
    }
  });

  it("refuses a file that would vote for a pipeline that an operator has made active", async () => {
    await start("default");
    assert.equal((await setMode("active")).status, 200);
    await assert.rejects(running.scaler.pipelines.put(pipelineOf("cocktail")), REFUSED);
    assert.equal(running.scaler.pipelines.pipelines()[0]?.objective.policy, "default");
    assert.equal(await mode(), "active");
    await setMode("shadow");
    assert.equal(await running.scaler.pipelines.put(pipelineOf("cocktail")), "replaced");
  });

  it("refuses a file in mode active that a start would refuse, also where an operator has set mode shadow", async () => {
    const active = (policy: "cocktail" | "default"): Pipeline => ({ ...pipelineOf(policy), mode: "active" });
    running = await RunningScaler.start({ pipelines: [active("default")], stateDir });
    await setMode("shadow");
    await assert.rejects(running.scaler.pipelines.put(active("cocktail")), REFUSED);
    assert.equal(running.scaler.pipelines.pipelines()[0]?.objective.policy, "default");
    assert.equal(await mode(), "shadow");
    await assert.rejects(RunningScaler.start({ pipelines: [active("cocktail")] }), REFUSED);
  });

  it("does not go back to mode active where the file was edited so while it did not run, and says why", async () => {
    await start("default");
    await setMode("active");
    await running.close();
    await start("default");
    assert.equal(await mode(), "active");
    await running.close();
    const warned: Record<string, unknown>[] = [];
    const logger = pino({ level: "warn" }, { write: line => void warned.push(JSON.parse(line)) });
    running = await RunningScaler.start({ pipelines: [pipelineOf("cocktail")], stateDir, logger });
    assert.equal(await mode(), "shadow");
    assert.deepEqual(
      warned.map(({ pipeline }) => pipeline),
      ["shop/cards"],
    );
    assert.match(
      String(warned[0]?.["msg"]),
      /^mode `active`, which an operator set, is not gone back to: pipeline shop/,
    );
    assert.match(String(warned[0]?.["msg"]), REFUSED);
  });
});
