import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { classVote, type Vote } from "../../gateway/stage.ts";

describe("classVote()", () => {
  const vote = classVote("p");
  const voteOf = (variant: string, weight: number, probabilities: readonly number[], other = 0): Vote => ({
    variant,
    weight,
    output: {
      p: { datatype: "FP64", shape: [probabilities.length], data: new Float64Array(probabilities) },
      other: { datatype: "UINT8", shape: [1], data: new Uint8Array([other]) },
    },
  });

  it("gives each class its share of the weights, however sure the variants are", () => {
    const joined = vote([
      voteOf("a", 2, [0.05, 0.05, 0.9], 7),
      voteOf("b", 1, [0.6, 0.4, 0]),
      voteOf("c", 2, [0.7, 0, 0.3]),
    ]);
    assert.deepEqual([...joined["p"]!.data], [0.6, 0, 0.4]);
    assert.deepEqual(joined["p"]!.shape, [3]);
  });

  it("takes the other outputs of the variant whose vote weighs most", () => {
    const joined = vote([voteOf("a", 1, [1, 0], 1), voteOf("b", 3, [0, 1], 2), voteOf("c", 2, [1, 0], 3)]);
    assert.deepEqual([...joined["other"]!.data], [2]);
  });

  it("keeps FP32, and refuses what holds no probabilities", () => {
    const output = { p: { datatype: "FP32", shape: [2], data: new Float32Array([0.2, 0.8]) } } as const;
    const joined = vote([{ variant: "a", weight: 1, output }]);
    assert.ok(joined["p"]!.data instanceof Float32Array);
    assert.deepEqual([...joined["p"]!.data], [0, 1]);
    assert.throws(() => classVote("other")([voteOf("a", 1, [1])]), /FP32 or FP64/);
    assert.throws(() => classVote("none")([voteOf("a", 1, [1])]), /no output of this name/);
  });
});
