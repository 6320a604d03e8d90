import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import type { InferenceSession } from "onnxruntime-node";
import { VariscaleError } from "../../../domain/errors.ts";
import type { Pipeline } from "../../../domain/pipeline.ts";
import { prepareModels } from "../../../models/prepare.ts";
import { PIPELINE_FOLDER } from "../../../pipelines/audio/folder.ts";
import code from "../../../pipelines/audio/index.ts";
import { recipes } from "../../../pipelines/audio/models.ts";
import { readPipeline } from "../../../runtime/read-pipeline.ts";
import { checkContracts, openVariant } from "../check-contracts.ts";
import { checkFanOuts, checkPins } from "../check-pipeline-file.ts";
import { runRows } from "../run-rows.ts";

const CLIPS = 100;

let pipeline: Pipeline;
let models: string;

before(async () => {
  pipeline = readPipeline(PIPELINE_FOLDER);
  models = await mkdtemp(join(tmpdir(), "variscale-audio-"));
  await prepareModels(recipes, { targetDir: models });
});

after(() => rm(models, { recursive: true }));

const open = (stage: string, variant: string): Promise<InferenceSession> =>
  openVariant(pipeline, models, stage, variant);

async function firstContext() {
  assert.ok(code.evaluation);
  for await (const { body, contentType } of code.evaluation.items(1)) return code.decode(body, contentType);
  return assert.fail("there is no clip");
}

/** Clips right as a whole, and words right by F1. */
async function accuracyOf(detector: string, recogniser: string, batch: number, clips = CLIPS) {
  const sessions = {
    "voice-activity": await open("voice-activity", detector),
    keyword: await open("keyword", recogniser),
  };
  let [right, partsCorrect, parts] = [0, 0, 0];
  const answers: { readonly words: readonly { readonly word: string; readonly confidence: number }[] }[] = [];
  assert.ok(code.evaluation);
  for await (const item of code.evaluation.items(clips)) {
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
  return { clips: right / clips, words: partsCorrect / parts, answers };
}

describe("pipelines/audio", () => {
  it("pins in the pipeline file what the recipes make", () => checkPins(pipeline, recipes, code));

  it("has fan-outs in its file that are those measured", () => checkFanOuts(PIPELINE_FOLDER, "keyword"));

  it("gives every variant of a stage the stage's contract", () => checkContracts(pipeline, models));

  it("hears commands, the heaviest variants better than the lightest", async () => {
    const heavy = await accuracyOf("medium", "large", 1);
    const light = await accuracyOf("nano", "nano", 1);
    assert.ok(heavy.clips >= 0.8 && heavy.words >= 0.9, `heavy: ${heavy.clips} ${heavy.words}`);
    assert.ok(light.words >= 0.4, `light: ${light.words}`);
    assert.ok(heavy.clips > light.clips + 0.1, `${heavy.clips} against ${light.clips}`);
  });

  it("gives the same whatever the batch", async () => {
    const [one, four] = [await accuracyOf("small", "small", 1, 30), await accuracyOf("small", "small", 4, 30)];
    const wordsOf = ({ words }: (typeof one.answers)[number]) => words.map(({ word }) => word);
    assert.deepEqual(one.answers.map(wordsOf), four.answers.map(wordsOf));
  });

  it("sends two windows for each segment, and answers with no words where there is no voice", async () => {
    const context = await firstContext();
    const { keyword, "voice-activity": voice } = code.stages;
    assert.ok(keyword && voice);
    const curve = new Float32Array(150).fill(0.9, 20, 40);
    await voice.collect(context, [{ voice: { datatype: "FP32", shape: [150], data: curve } }]);
    assert.deepEqual(
      (await keyword.rows(context)).map(row => row["window"]?.shape),
      [[6400], [6400]],
    );
    await voice.collect(context, [{ voice: { datatype: "FP32", shape: [150], data: new Float32Array(150) } }]);
    assert.deepEqual(await keyword.rows(context), []);
    await keyword.collect(context, []);
    assert.deepEqual(code.respond(context), { command: null, words: [] });
  });

  it("takes the class that both windows together find likeliest, and makes no number up", async () => {
    const context = await firstContext();
    context.segments = [0.2, 0.8, 1.4, 2].map(start => ({ start, end: start + 0.4, score: 0.9 }));
    const row = (...values: readonly (readonly [index: number, value: number])[]) => {
      const data = new Float32Array(21);
      for (const [index, value] of values) data[index] = value;
      return { probabilities: { datatype: "FP32", shape: [21], data } } as const;
    };
    await code.stages["keyword"]?.collect(context, [
      row([0, 0.5]),
      row([0, 0.75]),
      row([6, 0.5], [7, 0.25]),
      row([7, 0.75]),
      row([20, 0.75]),
      row([20, 1]),
      row([0, Number.NaN]),
      row([0, Number.NaN]),
    ]);
    assert.deepEqual(
      context.recognised.map(({ word, agreed }) => [word, agreed]),
      [
        ["light", true],
        ["off", false],
        [null, true],
        ["light", true],
      ],
    );
    assert.deepEqual(code.respond(context), {
      command: null,
      words: [
        { word: "light", confidence: 0.625, start: 0.2, end: 0.6 },
        { word: "off", confidence: 0.5, start: 0.8, end: 1.2 },
        { word: "light", confidence: 0, start: 2, end: 2.4 },
      ],
    });
    context.segments = context.segments.slice(0, 3);
    context.recognised = context.recognised.slice(0, 3);
    assert.equal((code.respond(context) as { command: unknown }).command, "light off");
  });

  it("refuses outputs that break the contract", async () => {
    const context = await firstContext();
    const isInternal = (error: unknown): boolean => error instanceof VariscaleError && error.code === "internal";
    const voice = { datatype: "FP32", shape: [149], data: new Float32Array(149) } as const;
    const bytes = { datatype: "UINT8", shape: [150], data: new Uint8Array(150) } as const;
    const { keyword, "voice-activity": voiceActivity } = code.stages;
    assert.ok(keyword && voiceActivity);
    for (const outputs of [[], [{}], [{ voice }], [{ voice: bytes }]])
      assert.throws(() => voiceActivity.collect(context, outputs), isInternal);
    context.segments = [{ start: 0.2, end: 0.6, score: 0.9 }];
    for (const outputs of [[], [{}], [{}, {}], [{ probabilities: voice }, { probabilities: voice }]])
      assert.throws(() => keyword.collect(context, outputs), isInternal);
  });
});
