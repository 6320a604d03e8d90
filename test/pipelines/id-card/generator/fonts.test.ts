import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "mocha";
import { VariscaleError } from "../../../../domain/errors.ts";
import { loadTypefaces } from "../../../../pipelines/id-card/generator/fonts.ts";

describe("loadTypefaces()", () => {
  it("says what to install where the typefaces are missing", () => {
    assert.throws(
      () => loadTypefaces(createRequire("/nowhere/index.js")),
      (error: unknown) =>
        error instanceof VariscaleError &&
        error.code === "failed_precondition" &&
        /npm install --save-dev opentype\.js@.*dejavu-fonts-ttf@/.test(error.message),
    );
  });
});
