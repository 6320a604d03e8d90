import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { CHARACTERS } from "../../../../pipelines/id-card/stages/class-table.ts";
import { readClasses } from "../../../../pipelines/id-card/stages/ctc.ts";

function classesOf(text: string): Uint8Array {
  return Uint8Array.from(text, character => (character === "_" ? 0 : CHARACTERS.indexOf(character) + 1));
}

describe("readClasses()", () => {
  it("takes a run of one class for one character and blanks for separators", () => {
    const classes = classesOf("__AA_NN_N__A_");
    assert.equal(readClasses(classes, new Float32Array(classes.length).fill(1)).text, "ANNA");
  });

  it("averages the probability over the characters only", () => {
    const reading = readClasses(classesOf("_A_B"), Float32Array.from([0.1, 0.8, 0.1, 0.6]));
    assert.ok(Math.abs(reading.confidence - 0.7) < 1e-6);
  });

  it("reads nothing from blanks", () => {
    assert.deepEqual(readClasses(new Uint8Array(40), new Float32Array(40)), { text: "", confidence: 0 });
  });

  it("reads past classes that the table doesn't have", () => {
    assert.equal(readClasses(Uint8Array.from([255, 1]), Float32Array.from([1, 1])).text, "A");
  });
});
