import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { parse } from "yaml";
import { z } from "zod";
import { pipelineCrd } from "../../cli/manifests/pipeline-crd.ts";
import { structuralSchema } from "../../cli/manifests/structural-schema.ts";
import { yamlOf } from "../../cli/manifests/yaml-of.ts";
import { pipelineFileSchema } from "../../domain/pipeline-schema.ts";
import { packageFolder } from "../../runtime/version.ts";

// biome-ignore lint/suspicious/noExplicitAny: JSON
type Json = any;

const CRD = pipelineCrd() as Json;
const SCHEMA = CRD.spec.versions[0].schema.openAPIV3Schema;

function visit(node: Json, path: string, each: (node: Json, path: string) => void): void {
  each(node, path);
  for (const [name, of] of Object.entries(node.properties ?? {})) visit(of, `${path}.${name}`, each);
  if (node.items) visit(node.items, `${path}[]`, each);
  if (typeof node.additionalProperties === "object") visit(node.additionalProperties, `${path}{}`, each);
}

describe("the CustomResourceDefinition", () => {
  it("is what the chart has", () => {
    const path = join(packageFolder, "charts/variscale/files/inferencepipelines.yaml");
    const text = yamlOf([CRD]);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
    const stale = `${path} is not what the schema in domain/ gives: write it anew by \`variscale manifests --crd\``;
    assert.equal(existsSync(path) ? readFileSync(path, "utf8") : null, text, stale);
  });

  it("is what `variscale manifests --crd` prints, and needs no pipeline", () => {
    const main = join(packageFolder, "dist/cli/main.js");
    const printed = spawnSync(process.execPath, [main, "manifests", "--crd"], { encoding: "utf8" });
    assert.equal(printed.status, 0, printed.stderr);
    assert.deepEqual(parse(printed.stdout), CRD);
    const without = spawnSync(process.execPath, [main, "manifests"], { encoding: "utf8" });
    assert.equal(without.status, 2);
    assert.match(without.stderr, /name a pipeline file or its folder, or write --crd/);
  });

  it("has every field of the schema, and no defaults", () => {
    const paths = new Set<string>();
    visit(SCHEMA, "", (node, path) => {
      paths.add(path);
      assert.ok(node.type !== undefined || node["x-kubernetes-preserve-unknown-fields"] === true, path);
      assert.equal(node.default, undefined, path);
    });
    const fields = Object.keys(pipelineFileSchema.shape.spec.shape);
    for (const field of fields) assert.ok(paths.has(`.spec.${field}`), field);
    assert.ok(paths.has(".spec.stages[].variants[].profile.points[].latencyMs"));
    assert.match(SCHEMA.properties.spec.properties.intervalMs.description, /Default: 10000/);
  });

  it("leaves to the scaler what a structural schema can't say, and nothing else", () => {
    const open: string[] = [];
    visit(SCHEMA, "", (node, path) => {
      if (node["x-kubernetes-preserve-unknown-fields"]) open.push(path);
    });
    assert.deepEqual(open, [".spec.stages[].fanOut"]);
  });

  it("reads every column from a field that there is", () => {
    for (const { name, jsonPath } of CRD.spec.versions[0].additionalPrinterColumns) {
      if (jsonPath.startsWith(".metadata")) continue;
      const [, ...keys] = jsonPath.replace(/\[\?.*?\)\]/, "").split(".");
      let node = SCHEMA;
      for (const key of keys) node = (node.items ?? node).properties?.[key] ?? assert.fail(`${name}: no ${key}`);
    }
  });
});

describe("structuralSchema()", () => {
  const of = (schema: z.ZodType) => structuralSchema(z.toJSONSchema(schema, { io: "input" }) as Json) as Json;

  it("has OpenAPI's booleans for exclusive bounds, and none for what zod alone limits", () => {
    assert.deepEqual(of(z.number().positive().max(5)), {
      type: "number",
      minimum: 0,
      exclusiveMinimum: true,
      maximum: 5,
    });
    assert.deepEqual(of(z.int()), { type: "integer" });
  });

  it("has maps by name for lists of named items, a field named `default`, and one value for a constant", () => {
    const list = of(z.array(z.strictObject({ name: z.literal("a"), default: z.number().default(3) })));
    assert.deepEqual(list, {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: {
        type: "object",
        required: ["name"],
        properties: { name: { type: "string", enum: ["a"] }, default: { type: "number", description: "Default: 3" } },
      },
    });
    assert.equal(of(z.array(z.string()))["x-kubernetes-list-type"], "atomic");
    assert.deepEqual(of(z.record(z.string().max(3), z.boolean())).additionalProperties, { type: "boolean" });
  });

  it("refuses what it does not know, so that nothing is lost unseen", () => {
    assert.throws(() => of(z.tuple([z.string()])), /prefixItems/);
  });
});
