import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { sendable } from "../../scaler/sendable-fields.ts";

describe("sendable()", () => {
  it("leaves of an error what the log shows, so that it can be sent to another thread", () => {
    const err = new VariscaleError("internal", "out of order", { cause: { close: () => undefined } });
    assert.throws(() => structuredClone({ err, method: "IsActive" }), { name: "DataCloneError" });
    const { stack } = err;
    assert.deepEqual(structuredClone(sendable({ err, method: "IsActive" })), {
      err: { type: "VariscaleError", message: "out of order", stack },
      method: "IsActive",
    });
  });

  it("takes whatever was thrown, and leaves other fields alone", () => {
    const { err } = sendable({ err: "no error" }) as { err: { type: string; message: string } };
    assert.deepEqual([err.type, err.message], ["Error", "no error"]);
    assert.deepEqual(sendable({ namespace: "shop" }), { namespace: "shop" });
  });
});
