import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import type { InferenceSession } from "onnxruntime-node";
import { VariscaleError } from "../../../domain/errors.ts";
import type { Pipeline } from "../../../domain/pipeline.ts";
import { prepareModels } from "../../../models/prepare.ts";
import { PIPELINE_FOLDER } from "../../../pipelines/video/folder.ts";
import code from "../../../pipelines/video/index.ts";
import { recipes } from "../../../pipelines/video/models.ts";
import { readPipeline } from "../../../runtime/read-pipeline.ts";
import { checkContracts, openVariant } from "../check-contracts.ts";
import { checkFanOuts, checkPins } from "../check-pipeline-file.ts";
import { runRows } from "../run-rows.ts";

const FRAMES = 100;

let pipeline: Pipeline;
let models: string;

before(async () => {
  pipeline = readPipeline(PIPELINE_FOLDER);
  models = await mkdtemp(join(tmpdir(), "variscale-video-"));
  await prepareModels(recipes, { targetDir: models });
});

after(() => rm(models, { recursive: true }));

const open = (stage: string, variant: string): Promise<InferenceSession> =>
  openVariant(pipeline, models, stage, variant);

async function firstContext() {
  assert.ok(code.evaluation);
  for await (const { body, contentType } of code.evaluation.items(1)) return code.decode(body, contentType);
  return assert.fail("there is no frame");
}

/** Frames right as a whole, and objects right by F1, of the committed frames. */
async function accuracyOf(detector: string, classifier: string, batch: number) {
  const sessions = {
    detection: await open("detection", detector),
    classification: await open("classification", classifier),
  };
  let [right, partsCorrect, parts] = [0, 0, 0];
  const answers: unknown[] = [];
  assert.ok(code.evaluation);
  for await (const item of code.evaluation.items(FRAMES)) {
    const context = await code.decode(item.body, item.contentType);
    for (const [stage, session] of Object.entries(sessions)) {
      const part = code.stages[stage];
      assert.ok(part);
      await part.collect(context, await runRows(session, await part.rows(context), batch));
    }
    const answer = JSON.parse(JSON.stringify(code.respond(context)));
    answers.push(answer);
    const score = code.evaluation.score(answer, item.label);
    right += score.correct ? 1 : 0;
    partsCorrect += score.partsCorrect;
    parts += score.parts;
  }
  for (const session of Object.values(sessions)) await session.release();
  return { frames: right / FRAMES, objects: partsCorrect / parts, answers };
}

describe("pipelines/video", () => {
  it("pins in the pipeline file what the recipes make", () => checkPins(pipeline, recipes, code));

  it("has fan-outs in its file that are those measured", () => checkFanOuts(PIPELINE_FOLDER, "classification"));

  it("gives every variant of a stage the stage's contract", () => checkContracts(pipeline, models));

  it("says what is on a frame, the heaviest variants better than the lightest", async () => {
    const heavy = await accuracyOf("large", "medium", 1);
    const light = await accuracyOf("nano", "nano", 1);
    assert.ok(heavy.frames >= 0.5 && heavy.objects >= 0.8, `large: ${heavy.frames} ${heavy.objects}`);
    assert.ok(light.objects >= 0.3, `nano: ${light.objects}`);
    assert.ok(heavy.frames > light.frames + 0.1, `${heavy.frames} against ${light.frames}`);
  });

  it("gives the same whatever the batch", async () => {
    const [one, eight] = [await accuracyOf("small", "small", 1), await accuracyOf("small", "small", 8)];
    assert.deepEqual(one.answers, eight.answers);
  });

  it("answers with no objects where nothing was found", async () => {
    const context = await firstContext();
    const blank = {
      heat: { datatype: "FP32", shape: [60, 80], data: new Float32Array(4800) },
      edges: { datatype: "FP32", shape: [4, 60, 80], data: new Float32Array(19_200) },
    } as const;
    await code.stages["detection"]?.collect(context, [blank]);
    assert.deepEqual(await code.stages["classification"]?.rows(context), []);
    await code.stages["classification"]?.collect(context, []);
    assert.deepEqual(code.respond(context), { objects: [] });
  });

  it("takes the likeliest class, and makes no number up", async () => {
    const context = await firstContext();
    context.regions = [
      { box: [10, 10, 40, 40], score: 0.9 },
      { box: [60, 10, 90, 40], score: 0.8 },
    ];
    const row = (...values: readonly number[]) => {
      const data = new Float32Array(9);
      data.set(values);
      return { probabilities: { datatype: "FP32", shape: [9], data } } as const;
    };
    await code.stages["classification"]?.collect(context, [row(0.125, 0, 0.5), row(Number.NaN)]);
    assert.deepEqual(code.respond(context), {
      objects: [
        { class: "van", confidence: 0.5, box: [10, 10, 40, 40], score: 0.9 },
        { class: "car", confidence: 0, box: [60, 10, 90, 40], score: 0.8 },
      ],
    });
  });

  it("refuses outputs that break the contract", async () => {
    const context = await firstContext();
    const isInternal = (error: unknown): boolean => error instanceof VariscaleError && error.code === "internal";
    const heat = { datatype: "FP32", shape: [60, 80], data: new Float32Array(4800) } as const;
    const bytes = { datatype: "UINT8", shape: [60, 80], data: new Uint8Array(4800) } as const;
    const { detection, classification } = code.stages;
    assert.ok(detection && classification);
    for (const outputs of [[], [{}], [{ heat }], [{ heat, edges: heat }], [{ heat: bytes, edges: heat }]])
      assert.throws(() => detection.collect(context, outputs), isInternal);
    context.regions = [{ box: [10, 10, 40, 40], score: 0.9 }];
    for (const outputs of [[], [{}], [{}, {}], [{ probabilities: heat }]])
      assert.throws(() => classification.collect(context, outputs), isInternal);
  });
});
