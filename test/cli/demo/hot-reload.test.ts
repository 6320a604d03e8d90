import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { findReloadStage } from "../../../cli/demo/hot-reload.ts";
import { ownPipelines, pathOfPipeline } from "../../../cli/own-pipelines.ts";
import { findUnfit } from "../../../domain/memory-fit.ts";
import { readPipeline } from "../../../runtime/read-pipeline.ts";

describe("the demo's hot reload", () => {
  it("gives a stage of every pipeline of ours memory for two of three variants", () => {
    for (const name of ownPipelines()) {
      const pipeline = readPipeline(pathOfPipeline(name));
      const found = findReloadStage(pipeline);
      assert.ok(found, name);
      const stage = pipeline.stages.find(one => one.name === found.stage);
      assert.ok(stage);
      const sizes = found.variants.map(variant => {
        const sessionMiB = stage.variants.find(one => one.name === variant)?.profile?.memoryMiB;
        assert.ok(sessionMiB);
        return { name: variant, sessionMiB };
      });
      assert.deepEqual(findUnfit({ name, memoryMiB: found.memoryMiB, defaultVariant: "", variants: sizes }), []);
      const all = sizes.reduce((sum, { sessionMiB }) => sum + sessionMiB, 0);
      assert.ok(found.memoryMiB < all + 60, `${name}: all three fit into ${found.memoryMiB} MiB`);
    }
  });

  it("finds none where fewer than three variants were measured", () => {
    const pipeline = readPipeline(pathOfPipeline("video"));
    const stages = pipeline.stages.map(stage => ({ ...stage, variants: stage.variants.slice(0, 2) }));
    assert.equal(findReloadStage({ ...pipeline, stages }), null);
  });
});
