import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { createLogger } from "../../runtime/logger.ts";
import { toStatus } from "../../scaler/grpc-call.ts";

describe("toStatus()", () => {
  const logger = createLogger("test", "silent");

  it("gives text that a header can carry, whatever was asked for", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 2000 }),
      fc.array(fc.constantFrom("\ud800", "\udc00", "😀", "x"), { maxLength: 1200 }).map(units => units.join("")),
    );
    fc.assert(
      fc.property(text, message => {
        const { details } = toStatus(new VariscaleError("invalid_argument", message), "GetMetrics", logger);
        assert.ok(encodeURI(details ?? "").length <= 12_000);
      }),
    );
  });

  it("keeps to itself what an unexpected error says", () => {
    const { code, details } = toStatus(new TypeError("a secret path"), "GetMetrics", logger);
    assert.equal(code, status.INTERNAL);
    assert.equal(details, "internal error: see the scaler's log");
  });
});
