import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { asDate, asName, asNumber } from "../../../../pipelines/id-card/stages/field-text.ts";

describe("asDate()", () => {
  for (const [line, date] of [
    ["03.05.1987", "03.05.1987"],
    ["0305.1987", "03.05.1987"],
    ["O3.05,l987", "03.05.1987"],
    ["03 05 1987", "03.05.1987"],
    ["83.85.2832", "03.05.2032"],
    ["08.08.1988", "08.08.1988"],
    ["33.05.1987", undefined],
    ["03.13.1987", undefined],
    ["03.05.198", undefined],
    ["Date of birth", undefined],
    ["SOLOBOSS", undefined],
  ] as const) {
    it(`reads ${line} as ${date}`, () => assert.equal(asDate(line), date));
  }
});

describe("asNumber()", () => {
  for (const [line, number] of [
    ["TJ3937074", "TJ3937074"],
    ["TJ39S7O7A", "TJ3957074"],
    ["8Z-123456-4", "BZ1234564"],
    ["TJ393707I", "TJ3937071"],
    ["1J3937071", "JJ3937071"],
    ["TJ393707K", undefined],
    ["TJ393704", undefined],
    ["HOFFMANNS", undefined],
  ] as const) {
    it(`reads ${line} as ${number}`, () => assert.equal(asNumber(line), number));
  }
});

describe("asName()", () => {
  for (const [line, name] of [
    ["MULLER", "MULLER"],
    ["ANNA, LENA", "ANNA, LENA"],
    ["ANNA.LENA", "ANNA, LENA"],
    ["ANNA LENA", "ANNA, LENA"],
    ["R0BERT", "ROBERT"],
    ["MUlLER", "MULLER"],
    ["Given names", undefined],
    ["03.05.1987", undefined],
    ["", undefined],
  ] as const) {
    it(`reads ${line} as ${name}`, () => assert.equal(asName(line), name));
  }
});
