import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import { initialState } from "../../control/control-state.ts";
import { readState } from "../../runtime/state-file.ts";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { ProcessConditions } from "../../scaler/process-conditions.ts";
import { StateKeeper } from "../../scaler/state-keeper.ts";
import { unusableStatePath } from "../../scaler/state-paths.ts";
import type { StoredPipeline } from "../../scaler/stored-pipeline.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { testPipeline } from "./support/test-pipeline.ts";

describe("StateKeeper", () => {
  let stateDir: string;

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), "variscale-keeper-"));
  });
  afterEach(() => rmSync(stateDir, { recursive: true }));

  it("keeps the first state that a pipeline can't go on from, says so of a later one, and the later one once the first is gone", async () => {
    const clock = new ManualClock();
    const conditions = new ProcessConditions(pino({ level: "silent" }));
    const keeper = new StateKeeper({ stateDir, clock, conditions, onSave: () => undefined });
    const pipeline = testPipeline();
    const control = new PipelineControl({ pipeline, stored: null, epoch: 1, machineCores: null, nowMs: clock.nowMs() });
    const path = unusableStatePath(stateDir, pipeline.key);
    const setAside = async (epoch: number): Promise<string> => {
      const stored: StoredPipeline = { epoch, control: initialState(epoch), forecaster: null, settings: null };
      await keeper.setAside(control, stored, `problem ${epoch}`);
      return conditions.of(pipeline.key).find(({ type }) => type === "StateUsable")?.message ?? "";
    };
    const keptEpoch = (): number => {
      const kept = readState(path);
      assert.ok(kept.kind === "ok");
      return (kept.payload as StoredPipeline).epoch;
    };
    assert.ok((await setAside(1)).includes(`It was kept as ${path}`));
    const second = await setAside(2);
    assert.ok(second.includes("(problem 2)") && second.includes(`It was not kept, for ${path} holds`), second);
    assert.equal(keptEpoch(), 1);
    assert.equal(readdirSync(join(stateDir, "pipelines")).length, 1);
    rmSync(path);
    assert.ok((await setAside(3)).includes(`It was kept as ${path}`));
    assert.equal(keptEpoch(), 3);
    await keeper.close([]);
  });
});
