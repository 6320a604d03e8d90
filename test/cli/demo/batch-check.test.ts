import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "mocha";
import { batchGains } from "../../../cli/demo/batch-check.ts";
import { readPipeline } from "../../../runtime/read-pipeline.ts";
import { packageFolder } from "../../../runtime/version.ts";

describe("batchGains()", () => {
  it("is rows per second of the largest profiled batch over those of batch 1", () => {
    const pipeline = readPipeline(join(packageFolder, "pipelines/video/pipeline.yaml"));
    const gains = batchGains(pipeline);
    assert.deepEqual(Object.keys(gains), ["detection", "classification"]);
    for (const { name, variants } of pipeline.stages)
      for (const { name: variant, profile } of variants) {
        const [first, last] = [profile?.points[0], profile?.points.at(-1)];
        assert.ok(first && last && first.batch === 1);
        const gain = (last.batch * first.latencyMs) / last.latencyMs;
        assert.ok(Math.abs((gains[name]?.[variant]?.gain ?? 0) - gain) < 1e-9, variant);
        assert.equal(gains[name]?.[variant]?.largest, last.batch);
      }
  });

  it("leaves out what has no profile", () => {
    const pipeline = readPipeline(join(packageFolder, "pipelines/id-card/pipeline.yaml"));
    const gains = batchGains(pipeline);
    const unmeasured = pipeline.stages.flatMap(({ name, variants }) =>
      variants.filter(({ profile }) => !profile).map(variant => `${name}/${variant.name}`),
    );
    for (const id of unmeasured) {
      const [stage = "", variant = ""] = id.split("/");
      assert.equal(gains[stage]?.[variant], undefined);
    }
    assert.ok((gains["detection"]?.["v4-640"]?.gain ?? 0) > 0);
  });
});
