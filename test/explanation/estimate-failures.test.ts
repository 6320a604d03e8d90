import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { failureText } from "../../explanation/estimate-failures.ts";

const judged = (error: number, failing: number) => ({ error, before: 0.3, failing, combinations: 12 });

describe("failureText()", () => {
  it("names the drifts that an estimate fails under, and those where some combinations alone do", () => {
    assert.equal(
      failureText("ATC", { night: judged(0.2, 9), blur: judged(0.1, 2), small: judged(0.1, 0) }),
      "ATC fails under night (off by 20.0 % where that is off by 30.0 %; 9 of 12 combinations); for some combinations alone under blur (2 of 12 combinations).",
    );
  });

  it("says where it fails nowhere; half as much is no failure", () => {
    assert.equal(
      failureText("ATC", { blur: judged(0.15, 0) }),
      "ATC is off by at most half as much as what was measured before, on average under each drift.",
    );
  });
});
