import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { type AnswerType, fits, typeAsked } from "../../../pipelines/question-answering/answer-type.ts";

describe("typeAsked()", () => {
  it("goes by the word that asks, wherever it stands", () => {
    const asked: readonly (readonly [string, AnswerType])[] = [
      ["Who designed it?", "name"],
      ["Not Bemwick: by whom was Coldgate founded?", "name"],
      ["Where was it made?", "place"],
      ["In which month is the fair?", "time"],
      ["What year was it?", "time"],
      ["When?", "time"],
      ["Please tell me: how heavy is it?", "quantity"],
      ["How much did buyers pay?", "quantity"],
      ["What drives it?", "any"],
      ["Whne was it?", "any"],
      ["Whoever it was: what?", "any"],
    ];
    for (const [question, type] of asked) assert.equal(typeAsked(question), type, question);
  });
});

describe("fits()", () => {
  it("looks at the form of an answer", () => {
    const answers: readonly (readonly [AnswerType, readonly string[], readonly string[]])[] = [
      ["name", ["Gridus Saelin"], ["Gridus", "gridus saelin", "a pump", "1882", "by Gridus Saelin"]],
      ["place", ["Keldmouth"], ["March", "in Keldmouth", "1882", "wool"]],
      ["time", ["1882", "4 March 1620", "May"], ["28,404", "367 kilograms", "Keldmouth"]],
      ["quantity", ["28,404", "367 kilograms", "4"], ["Keldmouth", "some"]],
      ["any", ["whatever"], []],
    ];
    for (const [type, fitting, others] of answers) {
      for (const answer of fitting) assert.equal(fits(answer, type), true, `${type} ${answer}`);
      for (const answer of others) assert.equal(fits(answer, type), false, `${type} ${answer}`);
    }
  });
});
