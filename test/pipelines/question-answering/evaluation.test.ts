import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { LabelledItem } from "../../../gateway/stage.ts";
import pipeline from "../../../pipelines/question-answering/index.ts";
import { PASSAGES } from "../../../pipelines/question-answering/passages.ts";
import type { QuestionLabel } from "../../../pipelines/question-answering/question.ts";

const { evaluation } = pipeline;
assert.ok(evaluation?.drifts);
const { items, drifts, score, ideal, stageCorrect } = evaluation;

async function take(source: AsyncIterable<LabelledItem<QuestionLabel>>): Promise<LabelledItem<QuestionLabel>[]> {
  const taken: LabelledItem<QuestionLabel>[] = [];
  for await (const item of source) taken.push(item);
  return taken;
}

const contextOf = ({ body, contentType }: LabelledItem<QuestionLabel>) => pipeline.decode(body, contentType);

describe("items()", () => {
  it("gives committed questions first, then generated ones, always the same", async () => {
    const all = await take(items(1500));
    assert.equal(all.length, 1500);
    assert.equal(new Set(all.map(({ id }) => id)).size, 1500);
    assert.deepEqual([all[99]?.id, all[100]?.id], ["stored-100", "usual-101"]);
    assert.deepEqual(await take(items(102)), all.slice(0, 102));
    assert.equal((await take(items(3))).length, 3);
  });

  it("asks for what its passages say", async () => {
    const sets = [items(300), ...Object.values(drifts).map(drift => drift(300))];
    for (const { id, label } of (await Promise.all(sets.map(take))).flat())
      assert.ok(PASSAGES[label.passage]?.text.includes(label.answer), id);
  });

  it("has drifted sets, with no question of the others", async () => {
    assert.deepEqual(Object.keys(drifts), ["typos", "domain"]);
    const ids = (await Promise.all(Object.values(drifts).map(drift => take(drift(2))))).flat().map(({ id }) => id);
    assert.deepEqual(ids, ["typos-1000000", "typos-1000001", "domain-1000000", "domain-1000001"]);
  });
});

describe("score()", () => {
  const label: QuestionLabel = { passage: 3, answer: "14 March 1873" };

  it("calls the whole answer right, whatever its case and spaces, and counts words by F1", () => {
    assert.deepEqual(score({ answer: "14 March 1873" }, label), { correct: true, partsCorrect: 6, parts: 6 });
    assert.deepEqual(score({ answer: " 14  march 1873" }, label), { correct: true, partsCorrect: 6, parts: 6 });
    assert.deepEqual(score({ answer: "March 1873" }, label), { correct: false, partsCorrect: 4, parts: 5 });
    assert.deepEqual(score({ answer: "on 14 March 1873" }, label), { correct: false, partsCorrect: 6, parts: 7 });
    assert.deepEqual(score({ answer: "March March March" }, label), { correct: false, partsCorrect: 2, parts: 6 });
    const twice = { passage: 3, answer: "Ber Ber" };
    assert.deepEqual(score({ answer: "Ber" }, twice), { correct: false, partsCorrect: 2, parts: 3 });
    assert.deepEqual(score({ answer: "1873 March 14" }, label), { correct: false, partsCorrect: 6, parts: 6 });
  });

  it("counts an answer of any other form as wrong", () => {
    const wrong = { correct: false, partsCorrect: 0, parts: 3 };
    for (const response of [null, {}, { answer: null }, { answer: 3 }, "14 March 1873", [], { answer: "" }])
      assert.deepEqual(score(response, label), wrong);
  });
});

describe("ideal() and stageCorrect()", () => {
  it("agree on retrieval: the passage is among the candidates", async () => {
    const [item] = await take(items(1));
    assert.ok(item);
    const context = await contextOf(item);
    assert.equal(stageCorrect(context, item.label, "retrieval"), false);
    ideal(context, item.label, "retrieval");
    assert.deepEqual(context.candidates, []);
    ideal(context, item.label, "reading");
    assert.equal(stageCorrect(context, item.label, "retrieval"), true);
    const other = { passage: item.label.passage + 1, probability: 0.6 };
    context.candidates = [other, ...context.candidates];
    assert.equal(stageCorrect(context, item.label, "retrieval"), true);
    context.candidates = [other];
    assert.equal(stageCorrect(context, item.label, "retrieval"), false);
  });

  it("judge reading by what it got: where the passage is missing, no answer is the right one", async () => {
    const [item] = await take(items(1));
    assert.ok(item);
    const { answer, passage } = item.label;
    const context = await contextOf(item);
    ideal(context, item.label, "reading");
    assert.equal(stageCorrect(context, item.label, "reading"), false);
    context.answer = { text: answer, passage, confidence: 0.5 };
    assert.equal(stageCorrect(context, item.label, "reading"), true);
    assert.equal(score(JSON.parse(JSON.stringify(pipeline.respond(context))), item.label).correct, true);
    context.answer = { text: `${answer} too`, passage, confidence: 0.5 };
    assert.equal(stageCorrect(context, item.label, "reading"), false);

    context.candidates = [{ passage: passage + 1, probability: 1 }];
    assert.equal(stageCorrect(context, item.label, "reading"), false);
    context.answer = null;
    assert.equal(stageCorrect(context, item.label, "reading"), true);
    assert.equal(score(JSON.parse(JSON.stringify(pipeline.respond(context))), item.label).correct, false);
  });
});
