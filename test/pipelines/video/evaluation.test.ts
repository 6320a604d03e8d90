import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { LabelledItem } from "../../../gateway/stage.ts";
import type { FrameLabel } from "../../../pipelines/video/frame.ts";
import pipeline from "../../../pipelines/video/index.ts";

const { evaluation } = pipeline;
assert.ok(evaluation?.drifts);
const { items, drifts, score, ideal, stageCorrect } = evaluation;

async function take(source: AsyncIterable<LabelledItem<FrameLabel>>): Promise<LabelledItem<FrameLabel>[]> {
  const taken: LabelledItem<FrameLabel>[] = [];
  for await (const item of source) taken.push(item);
  return taken;
}

const contextOf = ({ body, contentType }: LabelledItem<FrameLabel>) => pipeline.decode(body, contentType);
const answerOf = ({ objects }: FrameLabel) => ({
  objects: objects.map(({ class: name, box }) => ({ class: name, box: box.map(Math.round) })),
});

describe("items()", () => {
  it("gives committed frames first, then generated ones, always the same", async () => {
    const all = await take(items(102));
    assert.equal(all.length, 102);
    assert.equal(new Set(all.map(({ id }) => id)).size, 102);
    assert.equal(all[99]?.id, "frames/0100.jpg");
    assert.equal(all[100]?.id, "day-101");
    const again = await take(items(101));
    assert.ok(Buffer.from(again[100]?.body ?? []).equals(all[100]?.body ?? Buffer.of(0)));
    assert.equal((await take(items(3))).length, 3);
  });

  it("has drifted sets, with no frame of the others", async () => {
    assert.deepEqual(Object.keys(drifts), ["night", "blur", "small"]);
    const ids = (await Promise.all(Object.values(drifts).map(drift => take(drift(2))))).flat().map(({ id }) => id);
    assert.deepEqual(ids, [
      "night-1000000",
      "night-1000001",
      "blur-1000000",
      "blur-1000001",
      "small-1000000",
      "small-1000001",
    ]);
  });
});

describe("score()", () => {
  it("calls a frame right when all is found and named, and counts objects by F1", async () => {
    for (const { label } of await take(items(20))) {
      const count = label.objects.length;
      const answer = answerOf(label);
      assert.deepEqual(score(answer, label), { correct: true, partsCorrect: 2 * count, parts: 2 * count });

      const missing = { objects: answer.objects.slice(1) };
      assert.deepEqual(score(missing, label), { correct: false, partsCorrect: 2 * count - 2, parts: 2 * count - 1 });

      const ghost = { class: "car", box: [0, 0, 3, 3] };
      const haunted = { objects: [...answer.objects, ghost] };
      assert.deepEqual(score(haunted, label), { correct: false, partsCorrect: 2 * count, parts: 2 * count + 1 });

      const misnamed = { objects: answer.objects.map(object => ({ ...object, class: "tank" })) };
      assert.deepEqual(score(misnamed, label), { correct: false, partsCorrect: 0, parts: 2 * count });
    }
  });

  it("counts an answer of any other form as wrong", async () => {
    const [item] = await take(items(1));
    assert.ok(item);
    const wrong = { correct: false, partsCorrect: 0, parts: item.label.objects.length };
    for (const response of [
      null,
      {},
      { objects: null },
      { objects: 3 },
      "text",
      [],
      { objects: [null, { box: [1, 2] }] },
    ])
      assert.deepEqual(score(response, item.label), wrong);
  });

  it("wants nothing said of an empty frame", () => {
    assert.deepEqual(score({ objects: [] }, { objects: [] }), { correct: true, partsCorrect: 0, parts: 0 });
    assert.equal(score({}, { objects: [] }).correct, false);
  });
});

describe("ideal() and stageCorrect()", () => {
  it("agree: what detection would ideally find is right; nothing found, or more, is wrong", async () => {
    for (const item of await take(items(20))) {
      const context = await contextOf(item);
      assert.equal(stageCorrect(context, item.label, "detection"), false);
      ideal(context, item.label, "detection");
      assert.equal(context.regions.length, 0);
      ideal(context, item.label, "classification");
      assert.equal(stageCorrect(context, item.label, "detection"), true, item.id);
      context.regions = [...context.regions, { box: [0, 0, 5, 5], score: 1 }];
      assert.equal(stageCorrect(context, item.label, "detection"), false, item.id);
    }
  });

  it("judge classification by what it got: missed and invented objects are not its mistakes", async () => {
    const item = (await take(items(20))).find(({ label }) => label.objects.length >= 2);
    assert.ok(item);
    const { objects } = item.label;
    const context = await contextOf(item);
    ideal(context, item.label, "classification");
    assert.equal(stageCorrect(context, item.label, "classification"), false);
    context.classified = objects.map(object => ({ class: object.class, confidence: 1 }));
    assert.equal(stageCorrect(context, item.label, "classification"), true);
    assert.equal(score(pipeline.respond(context), item.label).correct, true);

    context.regions = [...context.regions.slice(1), { box: [0, 0, 5, 5], score: 1 }];
    context.classified = [...context.classified.slice(1), { class: "bus", confidence: 1 }];
    assert.equal(stageCorrect(context, item.label, "classification"), true);
    assert.equal(stageCorrect(context, item.label, "detection"), false);
    context.classified = context.classified.map(({ class: name }) => ({
      class: name === "car" ? "bus" : "car",
      confidence: 1,
    }));
    assert.equal(stageCorrect(context, item.label, "classification"), false);
  });

  it("judge boxes as they are answered, in whole pixels", async () => {
    const [item] = await take(items(1));
    assert.ok(item);
    const context = await contextOf(item);
    const label: FrameLabel = { objects: [{ class: "car", box: [0, 0, 3, 3] }] };
    // Half of the object is covered by the box, but not by the one of two pixels that goes out.
    context.regions = [{ box: [0, 0, 2.49, 1.9], score: 1 }];
    context.classified = [{ class: "car", confidence: 1 }];
    assert.equal(stageCorrect(context, label, "detection"), false);
    assert.equal(score(pipeline.respond(context), label).correct, false);
  });
});
