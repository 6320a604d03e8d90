import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "mocha";
import { pipelineFileAt, readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";

describe("pipelineFileAt()", () => {
  const ours = (name: string) => join(packageFolder, "pipelines", name, "pipeline.yaml");

  it("finds those that come with the package by their names, where nothing else has them", () => {
    for (const path of ["id-card", "pipelines/id-card", "pipelines/id-card/"])
      assert.equal(pipelineFileAt(path), ours("id-card"));
    assert.equal(readPipeline("video").key.name, "video");
    // A folder of that name stands above.
    const before = process.cwd();
    try {
      process.chdir(join(packageFolder, "pipelines"));
      assert.equal(pipelineFileAt("audio"), join(process.cwd(), "audio/pipeline.yaml"));
    } finally {
      process.chdir(before);
    }
  });

  it("takes any other path as it is", () => {
    for (const path of ["nowhere", "./id-card", "../id-card", "pipelines/none", "id-card/pipeline.yaml"])
      assert.equal(pipelineFileAt(path), join(process.cwd(), path));
    assert.throws(() => readPipeline("nowhere"), /nowhere can't be read.*one that comes with the package, as id-card/);
  });
});
