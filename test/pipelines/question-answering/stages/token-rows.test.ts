import assert from "node:assert/strict";
import { describe, it } from "mocha";
import {
  PASSAGE_SLOT,
  QUESTION_WORDS,
  READING_SLOTS,
  readingRow,
  textRow,
} from "../../../../pipelines/question-answering/stages/token-rows.ts";
import { NO_ANSWER_FORM } from "../../../../pipelines/question-answering/stages/word-features.ts";
import { wordsOf } from "../../../../pipelines/question-answering/stages/words.ts";

const slot = (data: Int32Array, index: number): number[] => [...data.slice(4 * index, 4 * index + 4)];

const rowOf = (text: string): Int32Array => textRow(wordsOf(text), QUESTION_WORDS, "question").data;

/** What tells one word from another: word, beginning, end, form. */
const featuresOf = (word: string): number[] => slot(rowOf(word), 0);

describe("textRow()", () => {
  it("has four numbers for each word and zeros after them", () => {
    const { data, shape, datatype } = textRow(wordsOf("Who is it?"), QUESTION_WORDS, "question");
    assert.deepEqual([datatype, shape], ["INT32", [QUESTION_WORDS, 4]]);
    assert.equal(data.length, QUESTION_WORDS * 4);
    assert.ok(data.slice(0, 16).every(value => value > 0));
    assert.ok(data.slice(16).every(value => value === 0));
  });

  it("leaves out words that have no slot", () => {
    const long = Array.from({ length: 40 }, (_, i) => `word${i}`);
    assert.deepEqual(rowOf(long.join(" ")), rowOf(long.slice(0, QUESTION_WORDS).join(" ")));
  });

  it("has the hashes that the models were trained with", () => {
    assert.deepEqual("who designed Keldmouth 1882 28,404 ?".split(" ").map(featuresOf), [
      [1699, 106, 106, 1],
      [1030, 125, 10, 1],
      [1164, 184, 237, 2],
      [1770, 210, 414, 3],
      [243, 175, 403, 6],
      [1816, 388, 388, 7],
    ]);
  });

  it("keeps beginning or end of a mistyped word, and the word whatever its case", () => {
    const [word, start, end, form] = featuresOf("factory");
    const typo = featuresOf("fatcory");
    assert.notEqual(typo[0], word);
    assert.deepEqual([featuresOf("facotry")[1], typo[2]], [start, end]);
    assert.deepEqual(featuresOf("Factory").slice(0, 3), [word, start, end]);
    assert.notEqual(featuresOf("Factory")[3], form);
  });

  it("tells the forms of words apart", () => {
    const forms = ["town", "Town", "1882", "12", "392", "3,420", "?", "TOWN"].map(word => featuresOf(word)[3]);
    assert.equal(new Set(forms).size, forms.length);
    assert.equal(featuresOf("Zürich")[3], featuresOf("Town")[3]);
  });
});

describe("readingRow()", () => {
  it("has a slot for no answer, then the question, then the passage with what both have in common", () => {
    const question = wordsOf("Who built Coldgate?");
    const { data, shape } = readingRow(question, wordsOf("Coldgate was BUILT by Ann."));
    assert.deepEqual(shape, [READING_SLOTS, 4]);
    assert.deepEqual(slot(data, 0), [0, 0, 0, NO_ANSWER_FORM]);
    assert.deepEqual(slot(data, 1), featuresOf("Who"));
    assert.deepEqual(slot(data, 5), [0, 0, 0, 0]);
    const at = (index: number): number[] => slot(data, PASSAGE_SLOT + index);
    assert.deepEqual(at(0).slice(0, 3), featuresOf("Coldgate").slice(0, 3));
    const [coldgate, was, built, by, ann] = [0, 1, 2, 3, 4].map(index => at(index)[3] ?? 0);
    assert.equal(was, by);
    assert.ok(coldgate !== ann && was !== built && was !== featuresOf("was")[3], `${[coldgate, was, built, by, ann]}`);
    assert.deepEqual(at(6), [0, 0, 0, 0]);
  });

  it("keeps a long question out of the passage's slots", () => {
    const long = wordsOf(Array.from({ length: 40 }, () => "long").join(" "));
    const passage = wordsOf("Coldgate");
    const passageOf = (question: typeof long): Int32Array => readingRow(question, passage).data.slice(4 * PASSAGE_SLOT);
    assert.deepEqual(passageOf(long), passageOf(long.slice(0, 2)));
    const whole = readingRow(passage, wordsOf(Array.from({ length: 99 }, () => "long").join(" "))).data;
    assert.equal(whole.length, READING_SLOTS * 4);
    assert.ok(slot(whole, READING_SLOTS - 1).every(value => value > 0));
  });
});
