import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { whyText } from "../../dashboard/why-text.ts";
import { BINDING_TEXT, REASON_TEXT } from "../../explanation/reason-text.ts";

describe("whyText()", () => {
  it("says every reason that is known, and nothing where none is", () => {
    const held = `Held back by: ${BINDING_TEXT.utilisation}.`;
    const both = `${REASON_TEXT.optimal}; ${REASON_TEXT.rising}`;
    assert.equal(whyText(["optimal", "rising"], "utilisation"), `Why: ${both}. ${held}`);
    assert.equal(whyText([], "utilisation"), held);
  });
});
