import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { describe, it } from "mocha";
import { OpenCalls } from "../../variant-switcher/open-calls.ts";

describe("OpenCalls", () => {
  /** What a call was told: the code of an error, or undefined with its answer. */
  const open = (calls: OpenCalls) => {
    const told: (number | undefined)[] = [];
    return { told, answer: calls.opened<object>(error => told.push(error?.code)) };
  };

  it("gives each call one answer: its own, or that the server has ended", () => {
    const calls = new OpenCalls();
    const [answered, late, other] = [open(calls), open(calls), open(calls)];
    answered.answer(null, {});
    calls.cut();
    late.answer(null, {});
    calls.cut();
    assert.deepEqual([answered.told, late.told, other.told], [[undefined], [status.UNAVAILABLE], [status.UNAVAILABLE]]);
  });
});
