import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";

const FILE = JSON.stringify({
  apiVersion: "variscale.dev/v1alpha1",
  kind: "InferencePipeline",
  metadata: { name: "cards" },
  spec: {
    slo: { latencyMs: 500 },
    accuracy: { estimators: "drift.json" },
    stages: [
      {
        name: "read",
        contract: {
          inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
          outputs: [{ name: "y", datatype: "FP32", shape: [-1] }],
        },
        defaultVariant: "only",
        variants: [{ name: "only", model: "only.onnx", sha256: "a".repeat(64) }],
      },
    ],
  },
});
const ESTIMATOR = {
  variants: { read: "only" },
  model: { bias: 0.5, signals: [{ name: "sure", mean: 1, scale: 2, weight: 3 }] },
};

describe("spec.accuracy.estimators", () => {
  const parse = (text: string | null) => parsePipelineFile(FILE, name => (name === "drift.json" ? text : null));

  it("names the file of `variscale drift`, of which nothing else is read", () => {
    const result = parse(JSON.stringify({ date: "today", drifts: { none: 3 }, estimators: [ESTIMATOR] }));
    assert.ok(result.ok);
    assert.deepEqual(result.pipeline.accuracy.estimators, [ESTIMATOR]);
  });

  it("may name one that was not written yet", () => {
    const result = parse(null);
    assert.ok(result.ok);
    assert.deepEqual(result.pipeline.accuracy.estimators, []);
  });

  it("is refused where the file is broken, and says that it is this one", () => {
    const issues = (text: string): string => {
      const result = parse(text);
      return result.ok ? "" : result.issues.map(({ path }) => path).join("\n");
    };
    assert.match(issues("{"), /^estimators: line 1/);
    assert.match(issues("{}"), /^estimators: estimators$/);
    const noScale = { ...ESTIMATOR, model: { bias: 0, signals: [{ ...ESTIMATOR.model.signals[0], scale: 0 }] } };
    assert.match(issues(JSON.stringify({ estimators: [noScale] })), /^estimators: estimators\[0\]\.model/);
  });
});
