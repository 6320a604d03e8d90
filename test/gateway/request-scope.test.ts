import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { describe, it } from "mocha";
import { RequestScope } from "../../gateway/request-scope.ts";

describe("RequestScope", () => {
  it("has any number of calls listen, without a warning", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on("warning", note);
    const clientGone = new AbortController().signal;
    const scope = new RequestScope({ id: "r", deadlineMs: 60_000, nowMs: () => 0, clientGone });
    for (let call = 0; call < 50; call++) scope.unwanted.addEventListener("abort", () => undefined);
    await turn();
    process.off("warning", note);
    scope.end({ kind: "cancelled" });
    assert.deepEqual(warnings, []);
  });
});
