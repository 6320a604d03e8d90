import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { askedParts } from "../../bench/asked-parts.ts";
import { kubernetesParts } from "../../bench/kubernetes-results.ts";

describe("askedParts()", () => {
  it("gives the parts that `--only` asks for, once and in the suite's order, or all", () => {
    assert.deepEqual(askedParts(["c", "a", "c"], ["a", "b", "c"]), ["a", "c"]);
    assert.deepEqual(askedParts(null, ["a", "b"]), ["a", "b"]);
    assert.deepEqual(askedParts(null, []), []);
  });

  it("throws for a part that the suite does not have, and names those that it has", () => {
    assert.throws(() => askedParts(["a", "toString"], ["a", "b"]), /^Error: --only: one of a, b, not `toString`$/);
    assert.throws(() => askedParts([""], ["a", "b"]), /one of a, b, not ``/);
    assert.throws(() => askedParts(["a"], []), /^Error: --only: this suite has no parts$/);
  });
});

describe("kubernetesParts()", () => {
  it("measures the step of the load wherever plain KEDA is to be held against it", () => {
    assert.deepEqual(kubernetesParts(["plain"]), ["step", "plain"]);
    assert.deepEqual(kubernetesParts(["step", "plain"]), ["step", "plain"]);
    assert.deepEqual(kubernetesParts(["many"]), ["many"]);
    assert.throws(() => kubernetesParts(["plain", "plane"]), /not `plane`/);
  });
});
