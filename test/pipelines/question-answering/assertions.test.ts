import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { brokenAssertions } from "../../../gateway/signals.ts";
import type { PipelineCode } from "../../../gateway/stage.ts";
import { WORLD_SEED } from "../../../pipelines/question-answering/evaluation.ts";
import { ask, type Manner } from "../../../pipelines/question-answering/generator/ask.ts";
import { makeWorld } from "../../../pipelines/question-answering/generator/world.ts";
import code from "../../../pipelines/question-answering/index.ts";
import { PASSAGES } from "../../../pipelines/question-answering/passages.ts";

const world = makeWorld(WORLD_SEED, "all");

/** What is broken when this is answered, from this passage. */
async function broken(question: string, answer: string | null, passage: number): Promise<string[]> {
  const context = await code.decode(Buffer.from(question), "text/plain");
  context.candidates = [{ passage, probability: 1 }];
  context.answer = answer === null ? null : { text: answer, passage, confidence: 1 };
  return brokenAssertions(code as PipelineCode, context);
}

describe("assertions", () => {
  it("hold of right answers; only names may be mistyped so that no passage has them", async () => {
    for (const manner of ["usual", "domain"] satisfies Manner[]) {
      let mistyped = 0;
      for (let seed = 5000; seed < 6000; seed++) {
        const { text, label } = ask(world, seed, manner);
        const names = await broken(text, label.answer, label.passage);
        assert.ok(
          names.every(name => name === "sharesName"),
          `${text} ${label.answer}: ${names}`,
        );
        mistyped += names.length;
      }
      assert.ok(mistyped <= 40, `${mistyped} of 1000`);
    }
  });

  it("tell missing, invented, long and unfitting answers, other names and echoes", async () => {
    const index = world.passages.findIndex(({ subject }) => subject.kind === "town");
    const { subject, text } = world.passages[index] as (typeof world.passages)[number];
    assert.equal(PASSAGES[index]?.text, text);
    const town = subject.name;
    const question = `Not Bemwick: what about ${town}?`;
    const word = /\b(is|the|of)\b/.exec(text)?.[0] ?? "";
    assert.deepEqual(await broken(question, word, index), []);
    assert.deepEqual(await broken(question, null, index), ["someAnswer"]);
    assert.deepEqual(await broken(question, "no such words", index), ["answerInPassage"]);
    assert.deepEqual(await broken(question, text.slice(0, 41), index), ["shortAnswer"]);
    assert.deepEqual(await broken(`When was ${town} founded?`, word, index), ["fitsQuestionWord"]);
    assert.deepEqual(await broken("What made Bemwick rich?", word, index), ["sharesName"]);
    assert.deepEqual(await broken(question, town, index), ["saysSomethingNew"]);
  });

  it("want the answer to be from a passage that was read", async () => {
    const context = await code.decode(Buffer.from("What?"), "text/plain");
    context.candidates = [{ passage: 4, probability: 1 }];
    const text = PASSAGES[5]?.text.slice(0, 10) ?? "";
    context.answer = { text, passage: 5, confidence: 1 };
    assert.deepEqual(brokenAssertions(code as PipelineCode, context), ["answerInPassage"]);
  });
});
