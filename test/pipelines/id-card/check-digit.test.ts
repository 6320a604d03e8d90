import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { checkDigit } from "../../../pipelines/id-card/check-digit.ts";

describe("checkDigit()", () => {
  // The examples of ICAO Doc 9303, without fillers: they are worth nothing.
  for (const [text, digit] of [
    ["520727", "3"],
    ["AB2134", "5"],
    ["L898902C3", "6"],
    ["D23145890", "7"],
    ["740812", "2"],
    ["120415", "9"],
  ] as const)
    it(`of ${text} is ${digit}`, () => assert.equal(checkDigit(text), digit));

  it("is another for two neighbours in the other order, but for digits that are five apart", () => {
    assert.notEqual(checkDigit("AB123456"), checkDigit("AB124356"));
    assert.equal(checkDigit("AB161111"), checkDigit("AB611111"));
  });
});
