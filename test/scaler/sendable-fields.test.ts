import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pino } from "pino";
import { VariscaleError } from "../../domain/errors.ts";
import type { LogFields } from "../../scaler/grpc-call.ts";
import { received, sendable } from "../../scaler/sendable-fields.ts";

/** The line that a log has of it. */
function lineOf(fields: LogFields): unknown {
  const lines: string[] = [];
  pino({ base: null, timestamp: false }, { write: line => lines.push(line) }).error(fields, "call failed");
  return JSON.parse(lines.join(""));
}

const throughThreads = (fields: LogFields): LogFields => received(structuredClone(sendable(fields)));

describe("fields of a log line that are sent to another thread", () => {
  it("are logged there as they would be here", () => {
    const cause = new TypeError("no such file");
    const err = new VariscaleError("internal", "out of order", { cause });
    const line = lineOf({ err, method: "IsActive" });
    assert.match(JSON.stringify(line), /"type":"VariscaleError","message":"out of order: no such file"/);
    assert.deepEqual(lineOf(throughThreads({ err, method: "IsActive" })), line);
    assert.deepEqual(throughThreads({ namespace: "shop" }), { namespace: "shop" });
  });

  it("hold nothing that can't be sent, whatever was thrown", () => {
    const err = new VariscaleError("internal", "out of order", { cause: { close: () => undefined } });
    assert.throws(() => structuredClone({ err }), { name: "DataCloneError" });
    assert.match(JSON.stringify(lineOf(throughThreads({ err }))), /"message":"out of order"/);
    for (const thrown of ["no error", undefined, () => undefined])
      assert.match(JSON.stringify(lineOf(throughThreads({ err: thrown }))), /"type":"Error"/);
    const loop = new Error("turns");
    loop.cause = loop;
    assert.match(JSON.stringify(lineOf(throughThreads({ err: loop }))), /turns: turns/);
  });
});
