import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { ReadLine } from "../../../../pipelines/id-card/context.ts";
import { assembleFields } from "../../../../pipelines/id-card/stages/field-assembly.ts";

function line(text: string, x: number, y: number, confidence = 0.95): ReadLine {
  return { text, confidence, quad: [x, y, x + 100, y, x + 100, y + 18, x, y + 18] };
}

const heading = line("KINGDOM OF RURITANIA", 20, 10);
const card = [
  heading,
  line("Surname", 170, 60),
  line("WEBER", 170, 80),
  line("Given names", 170, 110),
  line("EVA, LINA", 170, 130),
  line("Date of birth", 170, 160),
  line("01.02.1990", 170, 180),
  line("Date of expiry", 370, 160),
  line("03.04.2030", 370, 180),
  line("Document No", 170, 210),
  line("AB1234560", 170, 230),
];
const right = {
  surname: "WEBER",
  given: "EVA, LINA",
  birth: "01.02.1990",
  number: "AB1234560",
  expiry: "03.04.2030",
};
const isCaption = ({ text }: ReadLine): boolean => /[a-z]{3}/.test(text);

describe("assembleFields()", () => {
  it("gives each value to the caption above it, in whatever order the lines come", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(card, { minLength: card.length }), lines => {
        assert.deepEqual(assembleFields(lines), right);
      }),
    );
  });

  it("takes captions with letters misread for what they are", () => {
    const lines = card.map(read => (isCaption(read) ? { ...read, text: read.text.replace(/[ae]/, "o") } : read));
    assert.deepEqual(assembleFields(lines), right);
  });

  it("believes captions rather than order", () => {
    const swapped = [
      heading,
      line("Forenames", 170, 60),
      line("EVA", 170, 80),
      line("Family name", 170, 110),
      line("WEBER", 170, 130),
    ];
    const { surname, given } = assembleFields(swapped);
    assert.deepEqual({ surname, given }, { surname: "WEBER", given: "EVA" });
  });

  it("goes by form, years and order where no caption could be read", () => {
    assert.deepEqual(assembleFields(card.filter(read => !isCaption(read))), right);
  });

  it("leaves open what is not there", () => {
    const empty = { surname: null, given: null, birth: null, number: null, expiry: null };
    assert.deepEqual(assembleFields([]), empty);
    assert.deepEqual(assembleFields([heading]), empty);
  });
});
