import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import { initialState } from "../../control/control-state.ts";
import { readState } from "../../runtime/state-file.ts";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { ProcessConditions } from "../../scaler/process-conditions.ts";
import { StateKeeper } from "../../scaler/state-keeper.ts";
import { pipelineStatePath, unusableStatePath } from "../../scaler/state-paths.ts";
import type { StoredPipeline } from "../../scaler/stored-pipeline.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { testPipeline } from "./support/test-pipeline.ts";

describe("StateKeeper", () => {
  let stateDir: string;

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), "variscale-keeper-"));
  });
  afterEach(() => rmSync(stateDir, { recursive: true }));

  const startKeeper = () => {
    const clock = new ManualClock();
    const conditions = new ProcessConditions(pino({ level: "silent" }));
    const keeper = new StateKeeper({ stateDir, clock, conditions, onSave: () => undefined });
    const pipeline = testPipeline();
    const control = new PipelineControl({ pipeline, stored: null, epoch: 1, machineCores: null, nowMs: clock.nowMs() });
    const problem = (type: "StateUsable" | "StateSaved") => conditions.problem(pipeline.key, type);
    return { keeper, pipeline, control, problem, aside: unusableStatePath(stateDir, pipeline.key) };
  };

  it("renames aside what is there and can't be read, unless an earlier one is, and says so until it ends", async () => {
    const { keeper, pipeline, control, problem, aside } = startKeeper();
    const path = pipelineStatePath(stateDir, pipeline.key);
    // Root reads every file, but no directory.
    const unreadable = (name: string) => {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, name), "");
    };
    const loaded = (): string => {
      assert.equal(keeper.load(pipeline), null);
      return problem("StateUsable") ?? "";
    };
    unreadable("first");
    assert.match(
      loaded(),
      /can't read the state file .*EISDIR.*\. It was kept as .*\.unusable; the pipeline begins anew/,
    );
    assert.deepEqual(readdirSync(aside), ["first"]);
    await keeper.saveAll([control]);
    assert.equal(readState(path).kind, "ok");
    assert.deepEqual([problem("StateSaved"), problem("StateUsable") === null], [null, false]);
    rmSync(path);
    unreadable("second");
    assert.match(loaded(), /EISDIR.*\. It was not kept, for .* holds an earlier one/);
    assert.deepEqual([readdirSync(path), readdirSync(aside)], [["second"], ["first"]]);
    rmSync(aside, { recursive: true });
    symlinkSync("nowhere", aside);
    assert.match(loaded(), /EISDIR.*\. It could not be kept: .*ENOTDIR/);
    await keeper.close([]);
  });

  it("does not say of a folder that is a file that it held a state", async () => {
    const { keeper, pipeline, problem } = startKeeper();
    writeFileSync(join(stateDir, "pipelines"), "");
    assert.equal(keeper.load(pipeline), null);
    assert.match(problem("StateSaved") ?? "", /can't be read: .*ENOTDIR/);
    assert.equal(problem("StateUsable"), null);
    await keeper.close([]);
  });

  it("keeps the first state that a pipeline can't go on from, says so of a later one, and the later one once the first is gone", async () => {
    const { keeper, control, problem, aside: path } = startKeeper();
    const setAside = async (epoch: number): Promise<string> => {
      const stored: StoredPipeline = { epoch, control: initialState(epoch), forecaster: null, settings: null };
      await keeper.setAside(control, stored, `problem ${epoch}`);
      return problem("StateUsable") ?? "";
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
