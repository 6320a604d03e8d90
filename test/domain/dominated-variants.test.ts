import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { dominatedVariants, type MeasuredVariant, measuredVariants } from "../../domain/dominated-variants.ts";

const variant = (name: string, times: readonly number[], accuracy: number | null): MeasuredVariant => ({
  name,
  points: times.map((latencyMs, i) => ({ batch: 2 ** i, latencyMs })),
  accuracy,
});

describe("dominatedVariants()", () => {
  it("finds what another variant is as fast at every batch and as right as", () => {
    const ladder = [variant("light", [1, 2], 0.7), variant("slow", [5, 9], 0.8), variant("good", [4, 9], 0.8)];
    assert.deepEqual(dominatedVariants(ladder), [{ name: "slow", by: "good" }]);
    assert.deepEqual(dominatedVariants([variant("light", [1, 2], 0.7), variant("heavy", [2, 4], 0.8)]), []);
  });

  it("leaves what is faster at one batch, or is served in larger ones", () => {
    assert.deepEqual(dominatedVariants([variant("a", [4, 7], 0.7), variant("b", [3, 8], 0.8)]), []);
    assert.deepEqual(dominatedVariants([variant("a", [4, 9, 12], 0.7), variant("b", [3, 8], 0.8)]), []);
    assert.deepEqual(dominatedVariants([variant("a", [4], 0.7), variant("b", [3, 8], 0.8)]), [{ name: "a", by: "b" }]);
  });

  it("leaves the first of equal ones", () => {
    const equal = ["a", "b", "c"].map(name => variant(name, [3], 0.8));
    assert.deepEqual(dominatedVariants(equal), [
      { name: "b", by: "a" },
      { name: "c", by: "a" },
    ]);
  });

  it("says nothing of variants whose accuracy is not known", () => {
    assert.deepEqual(dominatedVariants([variant("a", [3], null), variant("b", [4], null)]), []);
    const read = measuredVariants({ a: { points: [] }, b: { points: [] } }, { b: { accuracy: 0.5 } });
    assert.deepEqual(
      read.map(({ accuracy }) => accuracy),
      [null, 0.5],
    );
  });
});
