import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { VariscaleError } from "../../../domain/errors.ts";
import type { Pipeline } from "../../../domain/pipeline.ts";
import { parsePipelineFile } from "../../../domain/pipeline-file.ts";
import { withoutVariants } from "../../../domain/without-variants.ts";
import { prepareModels } from "../../../models/prepare.ts";
import { PIPELINE_FOLDER } from "../../../pipelines/id-card/folder.ts";
import code from "../../../pipelines/id-card/index.ts";
import { recipes } from "../../../pipelines/id-card/models.ts";
import { checkContracts, openVariant } from "../check-contracts.ts";
import { checkPins } from "../check-pipeline-file.ts";
import { runRows } from "../run-rows.ts";

let pipeline: Pipeline;
let models: string;

before(async () => {
  const result = parsePipelineFile(await readFile(join(PIPELINE_FOLDER, "pipeline.yaml"), "utf8"), () => null);
  assert.ok(result.ok, JSON.stringify(result));
  pipeline = result.pipeline;
  models = await mkdtemp(join(tmpdir(), "variscale-id-card-"));
  await prepareModels(recipes, { targetDir: models });
});

after(() => rm(models, { recursive: true }));

async function firstItems() {
  assert.ok(code.evaluation);
  for await (const item of code.evaluation.items(1)) return [item];
  return [];
}

describe("pipelines/id-card", () => {
  it("pins in the pipeline file what the recipes make", () => checkPins(pipeline, recipes, code));

  it("gives every variant of a stage that needs no installation the stage's contract", async () => {
    const leftOut = pipeline.stages.flatMap(stage =>
      stage.variants.filter(variant => variant.package !== null).map(variant => `${stage.name}/${variant.name}`),
    );
    assert.deepEqual(leftOut, [
      "detection/v6-tiny-256",
      "detection/v6-tiny-384",
      "detection/v6-640",
      "recognition/v6-tiny",
      "recognition/v6",
    ]);
    await checkContracts(withoutVariants(pipeline, leftOut), models);
  });

  it("reads cards with the heaviest variants, whatever the batch", async () => {
    const detector = await openVariant(pipeline, models, "detection", "v4-640");
    const recogniser = await openVariant(pipeline, models, "recognition", "v4");
    let right = 0;
    let fields = 0;
    assert.ok(code.evaluation);
    for await (const item of code.evaluation.items(3)) {
      const answers: unknown[] = [];
      for (const batch of [1, 4]) {
        const context = await code.decode(item.body, item.contentType);
        for (const [stage, session] of [
          ["detection", detector],
          ["recognition", recogniser],
        ] as const) {
          const part = code.stages[stage];
          assert.ok(part);
          await part.collect(context, await runRows(session, await part.rows(context), batch));
        }
        answers.push(code.respond(context));
      }
      const [first, second] = answers as { lines: { text: string }[] }[];
      assert.deepEqual(
        first?.lines.map(({ text }) => text),
        second?.lines.map(({ text }) => text),
      );
      const score = code.evaluation.score(first, item.label);
      right += score.correct ? 1 : 0;
      fields += score.partsCorrect;
    }
    assert.ok(right >= 2 && fields >= 13, `${right} cards, ${fields} fields`);
    await detector.release();
    await recogniser.release();
  });

  it("answers with empty fields where nothing was found", async () => {
    const [item] = await firstItems();
    assert.ok(item);
    const context = await code.decode(item.body, item.contentType);
    const blank = { map: { datatype: "UINT8", shape: [224, 320], data: new Uint8Array(224 * 320) } } as const;
    await code.stages["detection"]?.collect(context, [blank]);
    assert.deepEqual(await code.stages["recognition"]?.rows(context), []);
    await code.stages["recognition"]?.collect(context, []);
    const empty = { surname: null, given: null, birth: null, number: null, expiry: null };
    assert.deepEqual(code.respond(context), { fields: empty, lines: [] });
  });

  it("refuses outputs that break the contract", async () => {
    const [item] = await firstItems();
    assert.ok(item);
    const context = await code.decode(item.body, item.contentType);
    const isInternal = (error: unknown): boolean => error instanceof VariscaleError && error.code === "internal";
    const short = { map: { datatype: "UINT8", shape: [2], data: new Uint8Array(2) } } as const;
    assert.throws(() => code.stages["detection"]?.collect(context, [short]), isInternal);
    assert.throws(() => code.stages["detection"]?.collect(context, []), isInternal);
    assert.throws(() => code.stages["recognition"]?.collect(context, [{}]), isInternal);
  });
});
