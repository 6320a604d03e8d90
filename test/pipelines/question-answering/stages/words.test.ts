import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { wordsOf } from "../../../../pipelines/question-answering/stages/words.ts";

const textsOf = (text: string): string[] => wordsOf(text).map(word => word.text);

describe("wordsOf()", () => {
  it("takes words, numbers and marks apart", () => {
    assert.deepEqual(textsOf("Who (in 1882) paid 3,420.5 crowns?"), [
      ..."Who ( in 1882 ) paid 3,420.5 crowns ?".split(" "),
    ]);
    assert.deepEqual(textsOf("The miller’s ice-house, Übersee."), [..."The miller’s ice-house , Übersee .".split(" ")]);
    assert.deepEqual(textsOf("  "), []);
  });

  it("says where each stands, and leaves out spaces alone", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), text => {
        const words = wordsOf(text);
        for (const { text: word, start, end } of words) assert.equal(text.slice(start, end), word);
        assert.equal(words.map(word => word.text).join(""), text.replace(/\s/gu, ""));
      }),
    );
  });
});
