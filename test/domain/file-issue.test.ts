import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { z } from "zod";
import { formatIssue, formatPath, issuesOf, showValue } from "../../domain/file-issue.ts";

const SCHEMA = z.strictObject({
  slo: z.number().optional(),
  latencyMs: z.number().optional(),
  fanOut: z.union([z.number(), z.strictObject({ default: z.number().min(0) })]).optional(),
  batch: z.int().min(1).max(8).optional(),
});
const KEYS = ["slo", "latencyMs", "fanOut", "default", "batch"];

function issues(root: unknown): string[] {
  const result = SCHEMA.safeParse(root);
  assert.ok(!result.success);
  return issuesOf(result.error, root, KEYS).map(formatIssue);
}

describe("issuesOf()", () => {
  it("suggests the key that was meant, and none that is far from it", () => {
    const fixes: Record<string, RegExp> = {
      latency: /Did you mean `latencyMs`/,
      latencyMsec: /Did you mean `latencyMs`/,
      lat: /Did you mean `latencyMs`/,
      latencySm: /Did you mean `latencyMs`/,
      FANOUT: /Did you mean `fanOut`/,
      slp: /Did you mean `slo`/,
      slxy: /\. Remove it\.$/,
      ba: /\. Remove it\.$/,
      zzzzzz: /\. Remove it\.$/,
    };
    for (const [key, pattern] of Object.entries(fixes)) assert.match(issues({ [key]: 1 })[0] ?? "", pattern, key);
  });

  it("names what is wrong in the branch of a union that got furthest, or the field where none did", () => {
    assert.match(issues({ fanOut: { default: -1 } })[0] ?? "", /^fanOut\.default: .*\(is: -1\)\. Write at least 0\./);
    assert.match(issues({ fanOut: { default: "x" } })[0] ?? "", /^fanOut\.default: .*Write a value of type number\./);
    assert.match(issues({ fanOut: "six" })[0] ?? "", /^fanOut: .*\(is: "six"\)\. Correct the value\./);
  });

  it("says which bound was crossed, and by what", () => {
    assert.match(issues({ batch: 0 })[0] ?? "", /^batch: .*\(is: 0\)\. Write at least 1\./);
    assert.match(issues({ batch: 9 })[0] ?? "", /^batch: .*\(is: 9\)\. Write at most 8\./);
  });

  it("tells a number with a unit from any other text", () => {
    assert.match(issues({ slo: "0.5 s" })[0] ?? "", /not `s`\.$/);
    assert.match(issues({ slo: "-3%" })[0] ?? "", /not `%`\.$/);
    assert.match(issues({ slo: "fast" })[0] ?? "", /Write a value of type number\.$/);
    assert.match(issues({ slo: null })[0] ?? "", /^slo: .*\(is: null\)/);
  });
});

describe("formatPath()", () => {
  it("writes keys and indices as code does", () => {
    assert.equal(formatPath([]), "(top level)");
    assert.equal(formatPath(["a", 0, "b", 12]), "a[0].b[12]");
    assert.equal(formatPath([3]), "[3]");
  });
});

describe("showValue()", () => {
  it("shows what is at the path, and that nothing is", () => {
    const root = { a: [{ b: "x" }], n: null, f: Number.NaN };
    assert.equal(showValue(root, ["a", 0, "b"]), '"x"');
    assert.equal(showValue(root, ["f"]), "NaN");
    assert.equal(showValue(root, ["n"]), "null");
    for (const path of [["z"], ["a", 1], ["n", "x"], ["f", "x"]]) assert.equal(showValue(root, path), "missing");
  });

  it("cuts what is longer than 80 characters", () => {
    assert.equal(showValue("x".repeat(78), []), `"${"x".repeat(78)}"`);
    const cut = showValue("x".repeat(79), []);
    assert.equal(cut.length, 78);
    assert.ok(cut.endsWith("…"));
  });
});
