import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { packageFolder } from "../../runtime/version.ts";

const chart = join(packageFolder, "charts/variscale");
const pipeline = join(packageFolder, "pipelines/id-card");

/** The values of the README: the id-card pipeline in namespace `shop`. */
export const ID_CARD = [
  "--set=image.repository=registry.example/variscale",
  `--set-file=pipelines.id-card.file=${pipeline}/pipeline.yaml`,
  `--set-file=pipelines.id-card.measurements=${pipeline}/measurements.json`,
  `--set-file=pipelines.id-card.estimators=${pipeline}/drift.json`,
  "--set=pipelines.id-card.models.prepare=true",
] as const;

/** A Kubernetes object, as deep as a test looks. */
// biome-ignore lint/suspicious/noExplicitAny: the tests say what must be there.
export type KubernetesObject = any;

function runHelm(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const helm = process.env["VARISCALE_HELM"] ?? "helm";
  const { status, stdout, stderr, error } = spawnSync(helm, args, { encoding: "utf8" });
  if (error) throw error;
  return { status, output: stdout + stderr };
}

/** What would be installed. */
export function render(...values: readonly string[]): readonly KubernetesObject[] {
  const { status, output } = runHelm("template", "variscale", chart, "--namespace=shop", ...values);
  assert.equal(status, 0, output);
  return parseAllDocuments(output).flatMap(document => {
    assert.deepEqual(document.errors, []);
    const object: unknown = document.toJS();
    return object === null ? [] : [object];
  });
}

/** The one object of a kind and a name. */
export function named(objects: readonly KubernetesObject[], kind: string, name: string): KubernetesObject {
  const found = objects.find(object => object.kind === kind && object.metadata.name === name);
  assert.ok(found, `there is no ${kind} ${name}`);
  return found;
}

/** Every pod of the objects, by the name of what has it. */
export function podsOf(
  objects: readonly KubernetesObject[],
): readonly { name: string; labels: object; spec: KubernetesObject }[] {
  return objects.flatMap(({ kind, metadata, spec }) => {
    if (kind === "Pod") return [{ name: metadata.name, labels: metadata.labels, spec }];
    const template = spec?.template;
    return template ? [{ name: metadata.name, labels: template.metadata.labels, spec: template.spec }] : [];
  });
}

/** What Helm says after it would have installed. */
export function notes(...values: readonly string[]): string {
  const { status, output } = runHelm("install", "variscale", chart, "--namespace=shop", "--dry-run=client", ...values);
  assert.equal(status, 0, output);
  return output.slice(output.indexOf("\nNOTES:\n"));
}

/** Why these values are refused. */
export function refusal(...values: readonly string[]): string {
  const { status, output } = runHelm("template", "variscale", chart, "--namespace=shop", ...values);
  assert.notEqual(status, 0, "the values were taken");
  return output;
}

export function lint(...values: readonly string[]): string {
  const { status, output } = runHelm("lint", "--strict", chart, "--namespace=shop", ...values);
  assert.equal(status, 0, output);
  return output;
}
