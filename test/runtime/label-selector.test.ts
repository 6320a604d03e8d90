import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { labelQuery } from "../../runtime/label-selector.ts";

describe("labelQuery()", () => {
  it("says all of a selector as lists take it", () => {
    const matchExpressions = [
      { key: "tier", operator: "In", values: ["cpu", "gpu"] },
      { key: "zone", operator: "NotIn", values: ["a", "b"] },
      { key: "ours", operator: "Exists" },
      { key: "old", operator: "DoesNotExist" },
    ];
    const said = "tier in (cpu,gpu),zone notin (a,b),ours,!old";
    assert.equal(labelQuery({ matchExpressions }), said);
    assert.equal(labelQuery({ matchLabels: { app: "cards", part: "detect" } }), "app=cards,part=detect");
    assert.equal(labelQuery({ matchLabels: { app: "cards" }, matchExpressions }), `app=cards,${said}`);
  });

  it("says nothing of one that selects all, or that it can't say whole", () => {
    for (const empty of [{}, { matchLabels: {} }, { matchLabels: null, matchExpressions: [] }])
      assert.equal(labelQuery(empty), null);
    const matchExpressions = [{ key: "tier", operator: "Other" }];
    assert.equal(labelQuery({ matchLabels: { app: "cards" }, matchExpressions }), null);
  });
});
