import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { LabelledItem } from "../../../gateway/stage.ts";
import { type CardLabel, FIELDS } from "../../../pipelines/id-card/card.ts";
import pipeline from "../../../pipelines/id-card/index.ts";

const { evaluation } = pipeline;
assert.ok(evaluation);
const { items, score, ideal, stageCorrect } = evaluation;

async function take(count: number): Promise<LabelledItem<CardLabel>[]> {
  const taken: LabelledItem<CardLabel>[] = [];
  for await (const item of items(count)) taken.push(item);
  return taken;
}

const contextOf = ({ body, contentType }: LabelledItem<CardLabel>) => pipeline.decode(body, contentType);

function textsOf(label: CardLabel): Record<string, string> {
  return Object.fromEntries(FIELDS.map(field => [field, label.fields[field].text]));
}

describe("items()", () => {
  it("gives committed cards first, then generated ones, always the same", async () => {
    const items = await take(102);
    assert.equal(items.length, 102);
    assert.equal(new Set(items.map(({ id }) => id)).size, 102);
    assert.equal(items[99]?.id, "cards/0100.jpg");
    assert.equal(items[100]?.id, "seed-101");
    const again = await take(101);
    assert.ok(Buffer.from(again[100]?.body ?? []).equals(items[100]?.body ?? Buffer.of(0)));
  });
});

describe("score()", () => {
  it("counts fields, and a card as right only with all five", async () => {
    const [item] = await take(1);
    assert.ok(item);
    const fields = textsOf(item.label);
    assert.deepEqual(score({ fields }, item.label), { correct: true, partsCorrect: 5, parts: 5 });
    const wrong = { ...fields, birth: null };
    assert.deepEqual(score({ fields: wrong }, item.label), { correct: false, partsCorrect: 4, parts: 5 });
  });

  it("counts an answer of any other form as wrong", async () => {
    const [item] = await take(1);
    assert.ok(item);
    for (const response of [null, {}, { fields: null }, { fields: 3 }, "text", []]) {
      assert.deepEqual(score(response, item.label), { correct: false, partsCorrect: 0, parts: 5 });
    }
  });
});

describe("ideal() and stageCorrect()", () => {
  it("agree: what detection would ideally find is right, and nothing found is wrong", async () => {
    for (const item of await take(20)) {
      const context = await contextOf(item);
      assert.equal(stageCorrect(context, item.label, "detection"), false);
      ideal(context, item.label, "detection");
      assert.equal(context.regions.length, 0);
      ideal(context, item.label, "recognition");
      assert.equal(context.regions.length, 11);
      assert.equal(stageCorrect(context, item.label, "detection"), true, item.id);
    }
  });

  it("call recognition right when the card comes out right", async () => {
    const [item] = await take(1);
    assert.ok(item);
    const context = await contextOf(item);
    ideal(context, item.label, "recognition");
    assert.equal(stageCorrect(context, item.label, "recognition"), false);
    const all = [...FIELDS.map(field => item.label.fields[field]), ...item.label.others];
    context.lines = all.map(({ text, quad }) => ({ text, quad, confidence: 1 }));
    assert.equal(stageCorrect(context, item.label, "recognition"), true);
    assert.deepEqual((pipeline.respond(context) as { fields: unknown }).fields, textsOf(item.label));
  });

  it("call recognition right when it reads what it was given, whatever detection missed", async () => {
    const [item] = await take(1);
    assert.ok(item);
    const { fields, others } = item.label;
    const reading = async (texts: readonly { text: string; quad: CardLabel["others"][number]["quad"] }[]) => {
      const context = await contextOf(item);
      context.regions = texts.map(({ quad }) => ({ quad, score: 1 }));
      context.lines = texts.map(({ text, quad }) => ({ text, quad, confidence: 1 }));
      return stageCorrect(context, item.label, "recognition");
    };
    const all = [...FIELDS.map(field => fields[field]), ...others];
    const withoutDates = all.filter(text => text !== fields.birth && text !== fields.expiry);
    assert.equal(await reading(withoutDates), true);
    assert.equal(await reading([]), true);
    const misread = { ...fields.number, text: "??" };
    assert.equal(await reading([...withoutDates.filter(text => text !== fields.number), misread]), false);
    // Without captions the names can't be told apart by their order when one of them was not found.
    const givenAlone = [fields.given];
    assert.equal(await reading(givenAlone), true);
  });

  it("call recognition wrong when it was given a field and gave no line for it", async () => {
    const [item] = await take(1);
    assert.ok(item);
    const context = await contextOf(item);
    ideal(context, item.label, "recognition");
    context.lines = context.regions.slice(1).map(({ quad }) => ({ text: "", quad, confidence: 0 }));
    assert.equal(stageCorrect(context, item.label, "recognition"), false);
  });
});
