import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { formatIssue } from "../../domain/file-issue.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";

const SHA = "a".repeat(64);
const TENSOR = { name: "x", datatype: "FP32", shape: [-1, 4] };

/** A pipeline of two stages whose variants may come from packages. */
function fileWith(packages: readonly object[], detect: object, read: object): string {
  const stage = (name: string, variants: readonly { readonly name: string }[]) => ({
    name,
    defaultVariant: variants[0]?.name,
    contract: { inputs: [TENSOR], outputs: [TENSOR] },
    variants,
  });
  const variant = (name: string, above: object) => ({ name, model: `${name}.onnx`, sha256: SHA, ...above });
  const stages = [
    stage("detect", [variant("heavy", {}), variant("light", detect)]),
    stage("read", [variant("only", read)]),
  ];
  const spec = { slo: { latencyMs: 500 }, packages, stages };
  const file = { apiVersion: "variscale.dev/v1alpha1", kind: "InferencePipeline", metadata: { name: "cards" }, spec };
  return JSON.stringify(file);
}

function issuesOf(text: string): string[] {
  const result = parsePipelineFile(text, () => null);
  assert.equal(result.ok, false, "the file was taken");
  return result.ok ? [] : result.issues.map(formatIssue);
}

describe("packages of a pipeline file", () => {
  const onePackage = {
    name: "shop-models",
    version: "1.2.0",
    sha256: SHA,
    sizeMiB: 3,
    licence: { name: "MIT", notice: "Copyright the shop." },
  };

  it("are pinned once, and variants name the one that they come from", () => {
    const result = parsePipelineFile(fileWith([onePackage], { package: "shop-models" }, {}), () => null);
    assert.ok(result.ok);
    assert.deepEqual(result.pipeline.packages, [{ ...onePackage, licence: { ...onePackage.licence, files: [] } }]);
    assert.deepEqual(
      result.pipeline.stages[0]?.variants.map(variant => variant.package),
      [null, "shop-models"],
    );
  });

  it("are refused where a variant names none of them, one is there twice, or a stage has nothing else", () => {
    const issues = issuesOf(fileWith([onePackage, onePackage], { package: "shop" }, { package: "shop-models" }));
    assert.equal(issues.length, 3);
    assert.match(issues[0] ?? "", /^spec\.packages\[1\]\.name: two packages have this name/);
    assert.match(
      issues[1] ?? "",
      /^spec\.stages\[0\]\.variants\[1\]\.package: is not in `spec\.packages` \(is: "shop"\)/,
    );
    assert.match(issues[2] ?? "", /^spec\.stages\[1\]\.variants: all come from packages/);
  });

  it("are refused where what pip is given would be more than a name and a version", () => {
    for (const [field, value] of [
      ["name", "--index-url"],
      ["name", "shop models"],
      ["version", "1.0 --extra-index-url x"],
      ["version", ">=1"],
      ["sha256", "abc"],
      ["sizeMiB", 0],
    ] as const) {
      const issues = issuesOf(fileWith([{ ...onePackage, [field]: value }], {}, {}));
      assert.equal(issues.length, 1, field);
      assert.match(issues[0] ?? "", new RegExp(`^spec\\.packages\\[0\\]\\.${field}: `));
    }
  });
});
