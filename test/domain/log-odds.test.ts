import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { logOdds } from "../../domain/log-odds.ts";

describe("logOdds()", () => {
  it("is 0 at a half, and ends where it is nearly sure", () => {
    assert.equal(logOdds(0.5), 0);
    assert.ok(Math.abs(logOdds(0.9) - Math.log(9)) < 1e-12);
    assert.equal(logOdds(1), logOdds(0.99995));
    assert.ok(Math.abs(logOdds(0) + logOdds(1)) < 1e-9);
  });
});
