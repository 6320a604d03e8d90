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
    assert.deepEqual(accuraciesOf({ stages: { read: { b: { accuracy: 0.5 } } } }), [null, 0.5]);
    assert.deepEqual(accuraciesOf(undefined), [null, null]);
  });
});

const PROFILES = { a: { points: [] }, b: { points: [] } };
const accuraciesOf = (measured: Parameters<typeof measuredVariants>[2]) =>
  measuredVariants("read", PROFILES, measured).map(({ accuracy }) => accuracy);

describe("measuredVariants()", () => {
  const stages = { read: { a: { accuracy: 0.99 }, b: { accuracy: 0.99 } } };
  const combination = (find: string, read: string, accuracy: number) => ({ variants: { find, read }, accuracy });
  const light = [combination("light", "a", 0.5), combination("light", "b", 0.625)];
  const heavy = [combination("heavy", "a", 0.75), combination("heavy", "b", 0.875)];

  it("takes the pipeline's accuracy with each, mean over what the other stages were measured with", () => {
    assert.deepEqual(accuraciesOf({ stages, combinations: [...light, ...heavy] }), [0.625, 0.75]);
  });

  it("leaves out what was not measured with each of them, and falls back to the stage's own accuracy", () => {
    const [first] = heavy;
    assert.ok(first);
    assert.deepEqual(accuraciesOf({ stages, combinations: [...light, first] }), [0.5, 0.625]);
    assert.deepEqual(accuraciesOf({ stages, combinations: [first] }), [0.99, 0.99]);
  });

  it("takes variants that have no profile for nothing that is missing", () => {
    const combinations = [...light, ...heavy, combination("heavy", "c", 1)];
    assert.deepEqual(accuraciesOf({ stages, combinations }), [0.625, 0.75]);
  });
});
