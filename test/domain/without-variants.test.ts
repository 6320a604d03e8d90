import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Pipeline } from "../../domain/pipeline.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import { withoutVariants } from "../../domain/without-variants.ts";

const tensor = (name: string) => ({ name, datatype: "FP32", shape: [-1, 1] });
const NAMES = ["a", "b", "c", "d"];

function pipelineOf(): Pipeline {
  const golden = (variant: string) => {
    const given = { shape: [1, 1], data: "AACAPw==" };
    return { variant, inputs: [{ name: "x", ...given }], outputs: [{ name: "y", ...given }] };
  };
  const stage = (name: string) => ({
    name,
    defaultVariant: "a",
    contract: { inputs: [tensor("x")], outputs: [tensor("y")] },
    variants: NAMES.map(variant => ({ name: variant, model: `${variant}.onnx`, sha256: "a".repeat(64) })),
    golden: ["a", "d"].map(golden),
    accuracy: { output: "y", confidence: "max", thresholds: { a: 0.5, d: 0.6 } },
    votes: {
      measured: [
        { variants: ["a", "b", "c"], accuracy: 0.9 },
        { variants: ["b", "c", "d"], accuracy: 0.95 },
      ],
    },
  });
  const spec = { slo: { latencyMs: 500 }, stages: [stage("first"), stage("second")] };
  const file = { apiVersion: "variscale.dev/v1alpha1", kind: "InferencePipeline", metadata: { name: "test" }, spec };
  const parsed = parsePipelineFile(JSON.stringify(file), () => null);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.pipeline;
}

describe("withoutVariants()", () => {
  it("leaves them out of their stage alone, with all that the stage says of them", () => {
    const pipeline = pipelineOf();
    const [first, second] = withoutVariants(pipeline, ["first/d"]).stages;
    assert.deepEqual(
      first?.variants.map(({ name }) => name),
      ["a", "b", "c"],
    );
    assert.deepEqual(
      first?.golden.map(({ variant }) => variant),
      ["a"],
    );
    assert.deepEqual(first?.accuracy?.thresholds, { a: 0.5 });
    assert.deepEqual(
      first?.votes?.measured.map(({ variants }) => variants),
      [["a", "b", "c"]],
    );
    assert.deepEqual(second, pipeline.stages[1]);
  });

  it("gives back the very pipeline where nothing is left out", () => {
    const pipeline = pipelineOf();
    assert.equal(withoutVariants(pipeline, []), pipeline);
  });
});
