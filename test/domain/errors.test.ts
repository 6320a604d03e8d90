import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";

describe("VariscaleError.from()", () => {
  it("keeps a VariscaleError as it is", () => {
    const error = new VariscaleError("not_found", "no stage named `x`");
    assert.equal(VariscaleError.from(error), error);
  });

  it("keeps what was thrown as the cause", () => {
    const thrown = new TypeError("boom");
    const error = VariscaleError.from(thrown, "unavailable");
    assert.equal(error.code, "unavailable");
    assert.equal(error.message, "boom");
    assert.equal(error.cause, thrown);
  });

  it("takes anything that can be thrown", () => {
    assert.equal(VariscaleError.from("text").message, "text");
    assert.equal(VariscaleError.from(undefined).message, "undefined");
  });
});
