import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { LabelledItem } from "../../../gateway/stage.ts";
import type { ClipLabel } from "../../../pipelines/audio/clip.ts";
import type { Recognition } from "../../../pipelines/audio/context.ts";
import pipeline from "../../../pipelines/audio/index.ts";
import type { Word } from "../../../pipelines/audio/vocabulary.ts";

const { evaluation } = pipeline;
assert.ok(evaluation?.drifts);
const { items, drifts, score, ideal, stageCorrect } = evaluation;

async function take(source: AsyncIterable<LabelledItem<ClipLabel>>): Promise<LabelledItem<ClipLabel>[]> {
  const taken: LabelledItem<ClipLabel>[] = [];
  for await (const item of source) taken.push(item);
  return taken;
}

const contextOf = ({ body, contentType }: LabelledItem<ClipLabel>) => pipeline.decode(body, contentType);
const heard = (word: Word | null): Recognition => ({ word, confidence: 1, agreed: true });

describe("items()", () => {
  it("gives committed clips first, then synthesised ones, always the same", async () => {
    const all = await take(items(12));
    assert.deepEqual(all.map(({ id }) => id).slice(8), ["clips/0009.wav", "clips/0010.wav", "usual-11", "usual-12"]);
    assert.deepEqual((await take(items(11)))[10], all[10]);
    assert.equal((await take(items(3))).length, 3);
  });

  it("has drifted sets, with no clip of the others", async () => {
    assert.deepEqual(Object.keys(drifts), ["noise", "accent", "synthesiser"]);
    const ids = (await Promise.all(Object.values(drifts).map(drift => take(drift(2))))).flat().map(({ id }) => id);
    assert.deepEqual(
      ids,
      ["noise", "accent", "synthesiser"].flatMap(name => [`${name}-1000000`, `${name}-1000001`]),
    );
  });
});

describe("score()", () => {
  const label: ClipLabel = {
    words: [
      { word: "heat", start: 0.3, end: 0.6 },
      { word: "up", start: 0.9, end: 1.1 },
      { word: "two", start: 1.4, end: 1.7 },
    ],
  };
  const answer = (...words: readonly unknown[]) => ({ words: words.map(word => ({ word })) });

  it("calls a clip right when its words were heard in their order, and counts words by F1", () => {
    const cases = [
      [answer("heat", "up", "two"), true, 6, 6],
      [answer("heat", "up"), false, 4, 5],
      [answer("heat", "on", "up", "two"), false, 6, 7],
      [answer("heat", "off", "two"), false, 4, 6],
      [answer("up", "heat", "two"), false, 4, 6],
      [answer("fan", "on", "six"), false, 0, 6],
      [answer(), false, 0, 3],
    ] as const;
    for (const [response, correct, partsCorrect, parts] of cases)
      assert.deepEqual(score(response, label), { correct, partsCorrect, parts }, JSON.stringify(response));
  });

  it("counts an answer of any other form as wrong", () => {
    for (const response of [null, {}, { words: null }, { words: 3 }, "text", []])
      assert.deepEqual(score(response, label), { correct: false, partsCorrect: 0, parts: 3 });
    assert.deepEqual(score({ words: [null, 4, {}] }, label), { correct: false, partsCorrect: 0, parts: 6 });
    assert.deepEqual(score({ words: [] }, { words: [] }), { correct: true, partsCorrect: 0, parts: 0 });
    assert.equal(score({}, { words: [] }).correct, false);
  });
});

describe("ideal() and stageCorrect()", () => {
  it("agree: what voice activity would ideally find is right; nothing found, more, or a part is wrong", async () => {
    for (const item of await take(items(20))) {
      const context = await contextOf(item);
      assert.equal(stageCorrect(context, item.label, "voice-activity"), false);
      ideal(context, item.label, "voice-activity");
      assert.equal(context.segments.length, 0);
      ideal(context, item.label, "keyword");
      assert.equal(stageCorrect(context, item.label, "voice-activity"), true, item.id);
      const [first, ...rest] = context.segments;
      assert.ok(first);
      context.segments = [first, ...rest, { start: 2.95, end: 3, score: 1 }];
      assert.equal(stageCorrect(context, item.label, "voice-activity"), false, item.id);
      context.segments = [{ ...first, end: first.start + (first.end - first.start) / 3 }, ...rest];
      assert.equal(stageCorrect(context, item.label, "voice-activity"), false, item.id);
    }
  });

  it("judge keyword by what it got: missed words and parts of words are not its mistakes, but what it makes of no word is", async () => {
    const [item] = await take(items(1));
    assert.ok(item);
    const { words } = item.label;
    const context = await contextOf(item);
    const isRight = (): boolean => stageCorrect(context, item.label, "keyword");
    ideal(context, item.label, "keyword");
    assert.equal(isRight(), false);
    context.recognised = words.map(({ word }) => heard(word));
    assert.equal(isRight(), true);
    assert.equal(score(pipeline.respond(context), item.label).correct, true);

    const [first, ...rest] = context.segments;
    assert.ok(first);
    const noise = { start: 0, end: 0.1, score: 1 };
    assert.ok((words[0]?.start ?? 0) >= 0.1);
    context.segments = [noise, ...rest];
    context.recognised = [heard(null), ...words.slice(1).map(({ word }) => heard(word))];
    assert.equal(isRight(), true);
    context.recognised = [heard("on"), ...context.recognised.slice(1)];
    assert.equal(isRight(), false);

    const part = { ...first, end: first.start + (first.end - first.start) / 3 };
    context.segments = [part, ...rest];
    for (const word of ["on", null] as const) {
      context.recognised = [heard(word), ...context.recognised.slice(1)];
      assert.equal(isRight(), true);
    }
    context.segments = [first, ...rest];
    assert.equal(isRight(), false);
  });
});
