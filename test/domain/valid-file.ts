import assert from "node:assert/strict";
import { parse, stringify } from "yaml";
import { formatIssue } from "../../domain/file-issue.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";

const SHA = "a".repeat(64);

export const VALID = `
apiVersion: variscale.dev/v1alpha1
kind: InferencePipeline
metadata: { name: cards }
spec:
  slo: { latencyMs: 500 }
  measurements: measurements.json
  stages:
    - name: detect
      defaultVariant: heavy
      contract: { inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }], outputs: [{ name: y, datatype: FP32, shape: [-1] }] }
      variants:
        - { name: heavy, model: heavy.onnx, sha256: ${SHA}, accuracy: 0.9, profile: { cores: 1, points: [{ batch: 1, latencyMs: 10 }] } }
        - { name: light, model: light.onnx, sha256: ${SHA} }
    - name: read
      fanOut: { default: 6, byUpstreamVariant: { light: 5 } }
      defaultVariant: only
      contract: { inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }], outputs: [{ name: y, datatype: FP32, shape: [-1] }] }
      variants: [{ name: only, model: sub/only.onnx, sha256: ${SHA} }]
`;

export const nothingBeside = () => null;

// biome-ignore lint/suspicious/noExplicitAny: edits a parsed YAML document in place
export function edited(edit: (document: any) => void): string {
  const document = parse(VALID);
  edit(document);
  return stringify(document);
}

export function issuesOf(text: string, beside: (name: string) => string | null = nothingBeside): string[] {
  const result = parsePipelineFile(text, beside);
  assert.equal(result.ok, false, "the file was taken");
  return result.ok ? [] : result.issues.map(formatIssue);
}
