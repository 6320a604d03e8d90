import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { QuestionContext } from "../../../pipelines/question-answering/context.ts";
import { signals } from "../../../pipelines/question-answering/signals.ts";

const contextOf = (probabilities: readonly number[], confidence: number | null): QuestionContext => ({
  question: "Who?",
  words: [],
  candidates: probabilities.map((probability, passage) => ({ passage, probability })),
  answer: confidence === null ? null : { text: "Ber", passage: 0, confidence },
});

describe("signals()", () => {
  it("rise with how sure the stages are, and are numbers where there is nothing", () => {
    const [none, unsure, sure] = [contextOf([], null), contextOf([0.5, 0.25], 0.3), contextOf([0.9], 0.8)].map(signals);
    assert.ok(none && unsure && sure);
    for (const values of [none, unsure, sure]) assert.ok(Object.values(values).every(Number.isFinite));
    assert.deepEqual([none["passages"], unsure["passages"], sure["passages"]], [0, 2, 1]);
    for (const name of ["firstPassage", "answer"])
      assert.ok((none[name] ?? 0) < (unsure[name] ?? 0) && (unsure[name] ?? 0) < (sure[name] ?? 0), name);
    assert.ok((unsure["secondPassage"] ?? 0) > (sure["secondPassage"] ?? 0));
    assert.equal(unsure["firstPassage"], 0);
  });
});
