import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { stringify } from "yaml";
import { formatIssue } from "../../domain/file-issue.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";

const SHA = "a".repeat(64);
/** The bytes of one FP32. */
const ONE = "AACAPw==";

function issuesOf(stage: object, variants: readonly object[]): string[] {
  const contract = {
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
    outputs: [{ name: "y", datatype: "FP32", shape: [-1] }],
  };
  const file = {
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name: "cards" },
    spec: {
      slo: { latencyMs: 500 },
      stages: [{ name: "detect", defaultVariant: "heavy", contract, variants, ...stage }],
    },
  };
  const result = parsePipelineFile(stringify(file), () => null);
  return result.ok ? [] : result.issues.map(formatIssue);
}

function assertIssues(issues: readonly string[], rules: readonly RegExp[]): void {
  assert.equal(issues.length, rules.length, issues.join("\n"));
  for (const [i, rule] of rules.entries()) assert.match(issues[i] ?? "", rule);
}

const heavy = { name: "heavy", model: "heavy.onnx", sha256: SHA };
const far = { name: "far", driver: "remote", model: "detector", url: "http://127.0.0.1:8000" };

describe("what a pipeline file says of a stage's switchers", () => {
  it("is a driver with what it needs, and nothing that is another's", () => {
    assertIssues(issuesOf({}, [heavy, far]), []);
    const { sha256: _none, ...withoutFile } = heavy;
    assertIssues(issuesOf({}, [withoutFile, { ...heavy, name: "light", url: far.url }]), [
      /variants\[0\]\.sha256: is missing/,
      /variants\[1\]\.url: is for the driver `remote` alone/,
    ]);
    const { url: _nowhere, ...withoutServer } = far;
    assertIssues(issuesOf({}, [heavy, { ...withoutServer, sha256: SHA }]), [
      /variants\[1\]\.url: is missing/,
      /variants\[1\]\.sha256: is of a file, which the driver `remote` has not/,
    ]);
    assertIssues(issuesOf({}, [heavy, { ...far, url: "http://10.0.0.1:8000" }]), [
      /variants\[1\]\.url: must be an http:\/\/ address on the loopback interface/,
    ]);
  });

  it("is golden tensors of its contract, of variants that compute something", () => {
    const x = { name: "x", shape: [1, 4], data: Buffer.alloc(16).toString("base64") };
    const y = { name: "y", shape: [1], data: ONE };
    assertIssues(issuesOf({ golden: [{ variant: "heavy", inputs: [x], outputs: [y] }] }, [heavy]), []);
    const golden = [
      { variant: "heavier", inputs: [{ ...x, name: "z" }], outputs: [y] },
      { variant: "heavy", inputs: [{ ...x, data: ONE }], outputs: [y] },
    ];
    assertIssues(issuesOf({ golden }, [heavy]), [
      /golden\[0\]\.variant: is not a variant that computes something .* Write one of: heavy/,
      /golden\[0\]\.inputs\[0\]\.name: is not in the stage's contract .* Write one of: x/,
      /golden\[1\]\.inputs\[0\]\.data: has 4 bytes, FP32 \[1,4\] has 16/,
    ]);
  });

  it("is signs of accuracy of an output and variants that there are", () => {
    assertIssues(issuesOf({ accuracy: { output: "y", thresholds: { heavy: 0.5 } } }, [heavy]), []);
    assertIssues(issuesOf({ accuracy: { output: "x", thresholds: { heavier: 0.5 } } }, [heavy]), [
      /accuracy\.output: is not an output of the stage .* Write one of: y/,
      /accuracy\.thresholds\.heavier: is not a variant of the stage/,
    ]);
  });
});
