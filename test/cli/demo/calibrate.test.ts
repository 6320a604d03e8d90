import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { calibrate } from "../../../cli/demo/calibrate.ts";
import type { Pipeline, Stage } from "../../../domain/pipeline.ts";
import { scaleServiceTimes } from "../../../domain/scale-profile.ts";
import { IMAGE_CONTRACT, imageModel, writeModel } from "../../support/models.ts";
import { pipelineFixture } from "../../support/pipeline-fixture.ts";
import { TestFolder } from "../../support/switcher-harness.ts";

const contractOf = (above: Record<string, unknown>) =>
  ({
    ...IMAGE_CONTRACT,
    inputs: IMAGE_CONTRACT.inputs.map(input => ({ ...input, ...above })),
  }) as unknown as Stage["contract"];

describe("calibrate()", () => {
  let folder: TestFolder;
  let pipeline: Pipeline;

  const withStage = (above: Partial<Stage>): Pipeline => ({
    ...pipeline,
    stages: pipeline.stages.map(stage => ({ ...stage, ...above })),
  });

  before(() => {
    folder = new TestFolder();
    writeModel(folder.path, "heavy", imageModel(20, 0));
    const fixture = pipelineFixture([{ name: "score", ladder: { light: [1, 0.8], heavy: [2, 0.9] } }]);
    pipeline = { ...fixture, stages: fixture.stages.map(stage => ({ ...stage, contract: contractOf({}) })) };
  });
  after(() => folder.delete());

  it("measures the heaviest variant of each stage against its profile", async () => {
    const factor = await calibrate(pipeline, folder.path, 1, 50);
    assert.ok(factor > 0 && Number.isFinite(factor), String(factor));
    // A profile of ten thousand times the time: whatever the machine does meanwhile, the factor is far smaller.
    const slower = await calibrate(scaleServiceTimes(pipeline, 10_000), folder.path, 1, 50);
    assert.ok(slower < factor / 5, `${slower} against ${factor}`);
  });

  it("is 1 where no stage can be measured with zeros", async () => {
    for (const contract of [contractOf({ shape: [-1, -1, 192] }), contractOf({ datatype: "FP16" })])
      assert.equal(await calibrate(withStage({ contract }), folder.path, 1, 50), 1);
    const variants = pipeline.stages[0]!.variants.map(variant => ({ ...variant, profile: null }));
    assert.equal(await calibrate(withStage({ variants }), folder.path, 1, 50), 1);
  });

  it("names the variant whose model can't be loaded", async () => {
    const [light, heavy] = pipeline.stages[0]!.variants;
    const variants = [light!, { ...heavy!, model: "gone.onnx" }];
    await assert.rejects(calibrate(withStage({ variants }), folder.path, 2, 50), {
      code: "failed_precondition",
      message: /^score\/heavy can't be measured on this machine: .*gone\.onnx/,
    });
  });
});
