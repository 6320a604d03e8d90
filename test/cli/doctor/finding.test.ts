import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { type Finding, formatFindings } from "../../../cli/doctor/finding.ts";

describe("formatFindings()", () => {
  it("has a line for each finding, its fix below, and counts", () => {
    const findings: Finding[] = [
      { kind: "ok", check: "keda", where: "k", what: "is there", fix: null },
      { kind: "fail", check: "scaler", where: "s", what: "is away", fix: "start it" },
    ];
    assert.equal(
      formatFindings(findings),
      [
        "ok    keda    k: is there",
        "fail  scaler  s: is away",
        "              → start it",
        "1 ok, 0 warnings, 1 failures",
      ].join("\n"),
    );
  });
});
