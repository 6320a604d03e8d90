import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import { describeMachine } from "../../profiler/machine.ts";
import { ProfileCache } from "../../profiler/profile-cache.ts";
import { readUnmeasured } from "../../profiler/read-unmeasured.ts";
import { writeOffsetPipeline } from "./offset-pipeline.ts";

describe("ProfileCache", () => {
  let folder: string;
  beforeEach(() => {
    folder = writeOffsetPipeline();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = (pipeline: Pipeline) =>
    ProfileCache.open(join(folder, "kept.json"), pipeline, describeMachine(), Date.now);

  it("is of no use for a pipeline whose stages are others", async () => {
    const pipeline = readUnmeasured(join(folder, "pipeline.yaml"));
    const changed = (change: Partial<Stage>): Pipeline => ({
      ...pipeline,
      stages: pipeline.stages.map((stage, i) => (i === 1 ? { ...stage, ...change } : stage)),
    });
    await open(pipeline).addSwitchTimes("second/heavy", { coldMs: 7 });
    assert.deepEqual(open(changed({})).switchTimes("second/heavy"), { coldMs: 7 });
    const golden = [{ variant: "heavy", inputs: [], outputs: [] }] as unknown as Stage["golden"];
    for (const change of [{ dependsOn: [] }, { memoryMiB: 5 }, { golden }, { defaultVariant: "heavy" }])
      assert.equal(open(changed(change)).switchTimes("second/heavy"), undefined, JSON.stringify(change));
  });
});
