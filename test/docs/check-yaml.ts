import { formatIssue } from "../../domain/file-issue.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";

type Mapping = Readonly<Record<string, unknown>>;

const CONTRACT = {
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
};
const VARIANT = { name: "small", model: "small.onnx", sha256: "0".repeat(64) };
const STAGE = { name: "reader", contract: CONTRACT, defaultVariant: "small", variants: [VARIANT] };
const HEAD = { apiVersion: "variscale.dev/v1alpha1", kind: "InferencePipeline", metadata: { name: "documented" } };
const SPEC = { slo: { latencyMs: 500 }, code: "./stages.js", stages: [STAGE] };

/** Fields of Kubernetes objects beside `apiVersion`, `kind` and `metadata`. */
const OBJECT_FIELDS = new Set([
  ..."spec data stringData type rules roleRef subjects immutable".split(" "),
  ..."automountServiceAccountToken provisioner parameters webhooks".split(" "),
]);

/** What is wrong with YAML of a document: a pipeline file, a part of one that begins with `spec`, a Kubernetes object, or relabelling. */
export function checkYaml(value: unknown): readonly string[] {
  if (!isMapping(value)) return ["is no mapping"];
  if (value["kind"] === "InferencePipeline") return checkPipeline(value);
  if (typeof value["apiVersion"] === "string") return checkObject(value);
  const keys = Object.keys(value);
  if (keys.length === 1 && isMapping(value["spec"])) return checkPipeline({ ...HEAD, spec: whole(value["spec"]) });
  if (keys.length === 1 && Array.isArray(value["relabel_configs"])) return checkRelabelling(value["relabel_configs"]);
  return [`is no pipeline file, no part of one and no Kubernetes object (${keys.join(", ")})`];
}

function checkPipeline(value: Mapping): readonly string[] {
  const result = parsePipelineFile(JSON.stringify(value), () => null);
  if (result.ok) return [];
  // What is beside the file is not in the document.
  return result.issues.filter(({ path }) => !/^spec\.(measurements|accuracy\.estimators)$/.test(path)).map(formatIssue);
}

/** A part with what else a file must have. */
function whole(part: Mapping): Mapping {
  const stages = part["stages"];
  return {
    ...SPEC,
    ...part,
    ...(Array.isArray(stages) && { stages: stages.map(stage => ({ ...STAGE, ...(stage as Mapping) })) }),
  };
}

function checkObject(value: Mapping): readonly string[] {
  const { apiVersion, kind, metadata, ...rest } = value;
  const issues: string[] = [];
  if (!/^([a-z0-9.-]+\/)?v\d+((alpha|beta)\d+)?$/.test(String(apiVersion))) issues.push(`apiVersion is ${apiVersion}`);
  if (!/^[A-Z][A-Za-z]+$/.test(String(kind))) issues.push(`kind is ${kind}`);
  const name = isMapping(metadata) ? metadata["name"] : undefined;
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(String(name))) issues.push(`metadata.name is ${name}`);
  for (const field of Object.keys(rest)) if (!OBJECT_FIELDS.has(field)) issues.push(`has a field ${field}`);
  if (kind === "ScaledObject" || kind === "ScaledJob") issues.push(...checkTriggers(rest["spec"]));
  return issues;
}

function checkTriggers(spec: unknown): readonly string[] {
  const triggers = isMapping(spec) ? spec["triggers"] : undefined;
  if (!Array.isArray(triggers) || triggers.length === 0) return ["spec.triggers is no list with entries"];
  return triggers.flatMap((trigger: unknown) => {
    const metadata = isMapping(trigger) ? trigger["metadata"] : undefined;
    const names = isMapping(metadata) ? Object.values(metadata) : [null];
    return names.every(one => typeof one === "string") ? [] : ["a trigger's metadata must be texts"];
  });
}

/** A part of a Prometheus's scrape configuration. */
function checkRelabelling(rules: readonly unknown[]): readonly string[] {
  return rules.flatMap(rule =>
    isMapping(rule) && Array.isArray(rule["source_labels"]) && /^[a-z_]\w*$/i.test(String(rule["target_label"]))
      ? []
      : [`${JSON.stringify(rule)} has no source_labels or no target_label`],
  );
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
