import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { VariscaleError } from "../../../domain/errors.ts";
import { findStage, findVariant, type Pipeline } from "../../../domain/pipeline.ts";
import { prepareModels } from "../../../models/prepare.ts";
import { PIPELINE_FOLDER } from "../../../pipelines/question-answering/folder.ts";
import code from "../../../pipelines/question-answering/index.ts";
import { recipes } from "../../../pipelines/question-answering/models.ts";
import { PASSAGES } from "../../../pipelines/question-answering/passages.ts";
import { PASSAGE_SLOT, READING_SLOTS } from "../../../pipelines/question-answering/stages/token-rows.ts";
import type { ModelSession } from "../../../profiler/model-session.ts";
import { sourceOf } from "../../../profiler/model-source.ts";
import { openSession } from "../../../profiler/open-session.ts";
import { readPipeline } from "../../../runtime/read-pipeline.ts";
import { checkContracts } from "../check-contracts.ts";
import { checkFanOuts, checkPins } from "../check-pipeline-file.ts";

const QUESTIONS = 200;

let pipeline: Pipeline;
let models: string;

before(async () => {
  pipeline = readPipeline(PIPELINE_FOLDER);
  models = await mkdtemp(join(tmpdir(), "variscale-question-answering-"));
  await prepareModels(recipes, { targetDir: models });
});

after(() => rm(models, { recursive: true }));

function open(stageName: string, variantName: string): Promise<ModelSession> {
  const stage = findStage(pipeline, stageName);
  const variant = stage && findVariant(stage, variantName);
  assert.ok(stage && variant, `${stageName} ${variantName}`);
  return openSession(sourceOf(stage, variant, models));
}

/** The names of a retriever and a reader: both stages have theirs from the lightest to the heaviest. */
function variantsAt(index: number): [string, string] {
  const [retriever = "", reader = ""] = pipeline.stages.map(({ variants }) => variants.at(index)?.name ?? "");
  return [retriever, reader];
}

const contextOf = (question: string) => code.decode(Buffer.from(question), "text/plain");

/** Share of the questions that are answered right, and the answers. */
async function accuracyOf(retriever: string, reader: string, batch: number) {
  const sessions = { retrieval: await open("retrieval", retriever), reading: await open("reading", reader) };
  let right = 0;
  const answers: { readonly answer: string | null; readonly passage: unknown; readonly confidence: number }[] = [];
  assert.ok(code.evaluation);
  for await (const item of code.evaluation.items(QUESTIONS)) {
    const context = await code.decode(item.body, item.contentType);
    for (const [stage, session] of Object.entries(sessions)) {
      const part = code.stages[stage];
      assert.ok(part);
      await part.collect(context, await session.infer(await part.rows(context), batch));
    }
    const answer = JSON.parse(JSON.stringify(code.respond(context)));
    answers.push(answer);
    right += code.evaluation.score(answer, item.label).correct ? 1 : 0;
  }
  for (const session of Object.values(sessions)) await session.close();
  return { right: right / QUESTIONS, answers };
}

describe("pipelines/question-answering", () => {
  it("pins in the pipeline file what the recipes make", () => checkPins(pipeline, recipes, code));

  it("has fan-outs in its file that are those measured", () => checkFanOuts(PIPELINE_FOLDER, "reading"));

  it("gives every variant of a stage the stage's contract", () => checkContracts(pipeline, models));

  it("answers questions, the heaviest variants better than the lightest", async () => {
    const heavy = await accuracyOf(...variantsAt(-1), 1);
    const light = await accuracyOf(...variantsAt(0), 1);
    assert.ok(heavy.right >= 0.85, `heaviest: ${heavy.right}`);
    assert.ok(light.right >= 0.4, `lightest: ${light.right}`);
    assert.ok(heavy.right > light.right + 0.1, `${heavy.right} against ${light.right}`);
  });

  it("gives the same whatever the batch", async () => {
    const [one, three] = [await accuracyOf("small", "small", 1), await accuracyOf("small", "small", 3)];
    for (const [index, { answer, passage, confidence }] of one.answers.entries()) {
      assert.deepEqual([three.answers[index]?.answer, three.answers[index]?.passage], [answer, passage]);
      assert.ok(Math.abs((three.answers[index]?.confidence ?? 0) - confidence) < 0.002);
    }
  });

  it("sends on what retrieval finds likely, three passages at most and one at least", async () => {
    const { retrieval } = code.stages;
    const context = await contextOf("Who?");
    const outputOf = (...probabilities: number[]) =>
      ({
        passages: { datatype: "INT32", shape: [3], data: Int32Array.of(7, 0, PASSAGES.length - 1) },
        probabilities: { datatype: "FP32", shape: [3], data: Float32Array.from(probabilities) },
      }) as const;
    const last = PASSAGES.length - 1;
    for (const [probabilities, passages] of [
      [
        [0.5, 0.25, 0.125],
        [7, 0, last],
      ],
      [
        [0.75, 0.125, 0.05],
        [7, 0],
      ],
      [[0.03, 0.02, 0.01], [7]],
      [
        [Number.NaN, 0.5, Number.NaN],
        [7, 0],
      ],
    ] as const) {
      await retrieval?.collect(context, [outputOf(...probabilities)]);
      assert.deepEqual(
        context.candidates.map(({ passage }) => passage),
        passages,
      );
    }
    await code.stages["reading"]?.collect(context, [blank(), blank()]);
    assert.deepEqual(code.respond(context), {
      answer: null,
      confidence: 0,
      passage: null,
      candidates: [
        { passage: 7, probability: 0 },
        { passage: 0, probability: 0.5 },
      ],
    });
  });

  it("takes the surest answer of the passages, and none where that is likelier", async () => {
    const { reading } = code.stages;
    assert.ok(reading);
    const context = await contextOf("Who?");
    context.candidates = [
      { passage: 3, probability: 0.64 },
      { passage: 4, probability: 0.16 },
    ];
    assert.equal((await reading.rows(context)).length, 2);
    const words = (passage: number, first: number, last: number): string =>
      PASSAGES[passage]?.text.slice(PASSAGES[passage]?.words[first]?.start, PASSAGES[passage]?.words[last]?.end) ?? "";
    await reading.collect(context, [spanRow(2, 4, 0.5, 0.25), spanRow(1, 1, 1, 0)]);
    assert.deepEqual(context.answer, { text: words(4, 1, 1), passage: 4, confidence: 0.4 });
    await reading.collect(context, [spanRow(2, 4, 0.5, 0.25), spanRow(1, 1, 0.25, 0.5)]);
    assert.equal(context.answer?.text, words(3, 2, 4));
    assert.ok(Math.abs((context.answer?.confidence ?? 0) - 0.2) < 1e-9);
    await reading.collect(context, [spanRow(2, 4, 0.5, 0.5), spanRow(1, 1, 0.25, 0.5)]);
    assert.equal(context.answer, null);
  });

  it("refuses outputs that break the contract", async () => {
    const context = await contextOf("Who?");
    const isInternal = (error: unknown): boolean => error instanceof VariscaleError && error.code === "internal";
    const { retrieval, reading } = code.stages;
    assert.ok(retrieval && reading);
    const probabilities = { datatype: "FP32", shape: [3], data: new Float32Array(3) } as const;
    const named = (...data: number[]) =>
      ({ datatype: "INT32", shape: [data.length], data: Int32Array.from(data) }) as const;
    for (const outputs of [
      [],
      [{}],
      [{ probabilities }],
      [{ passages: probabilities, probabilities }],
      [{ passages: named(1, 2), probabilities }],
      [{ passages: named(1, 2, PASSAGES.length), probabilities }],
      [{ passages: named(1, 2, -1), probabilities }],
      [{ passages: named(1, 2, 3), probabilities: named(1, 2, 3) }],
    ])
      assert.throws(() => retrieval.collect(context, outputs), isInternal);
    context.candidates = [{ passage: 3, probability: 1 }];
    for (const outputs of [
      [],
      [{}],
      [blank(), blank()],
      [{ starts: blank().starts }],
      [{ ...blank(), ends: probabilities }],
    ])
      assert.throws(() => reading.collect(context, outputs), isInternal);
  });
});

/** What a reader gives that finds nothing at all. */
function blank() {
  return spanRow(0, 0, 0, 1);
}

/** One span of this probability at both of its ends, and no answer with that. */
function spanRow(first: number, last: number, both: number, none: number) {
  const slots = (slot: number) => {
    const data = new Float32Array(READING_SLOTS);
    data[PASSAGE_SLOT + slot] = both;
    data[0] = none;
    return { datatype: "FP32", shape: [READING_SLOTS], data } as const;
  };
  return { starts: slots(first), ends: slots(last) };
}
