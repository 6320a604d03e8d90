import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { stringify } from "yaml";
import { packageFolder } from "../../runtime/version.ts";
import { type AnyObject, objectsIn, type Recipe, readRecipes } from "../support/recipes.ts";
import { theCluster } from "./support/hooks.ts";

/** Their CRDs are not in this cluster. */
const FOREIGN = /^(serving\.kserve\.io|argoproj\.io|[a-z]+\.toolkit\.fluxcd\.io)\//;
/** No objects of an API server. */
const FILES = /^(variscale\.dev|kustomize\.config\.k8s\.io)\//;

describe("docs/recipes", () => {
  before(async () => {
    for (const name of ["shop", "variscale"])
      await theCluster().api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  });

  /** Fails where the API server would not take it, unknown fields included. */
  async function dryRun(objects: readonly AnyObject[]): Promise<number> {
    for (const object of objects) await theCluster().api.dryRun(object);
    return objects.length;
  }

  for (const recipe of readRecipes())
    it(`${recipe.name}: a real API server takes its objects`, async () => {
      const objects = [...recipe.written, ...filesOf(recipe), ...kustomized(recipe), ...charted(recipe)];
      const known = objects.filter(({ apiVersion }) => !FOREIGN.test(apiVersion) && !FILES.test(apiVersion));
      const count = await dryRun(known);
      assert.equal(count > 0, recipe.name !== "gitops");
    });

  it("are held against its schemas: it refuses a field that there is not", async () => {
    const [scaledObject] = readRecipes()
      .flatMap(({ written }) => written)
      .filter(({ kind }) => kind === "ScaledObject");
    const wrong = { ...scaledObject, spec: { ...scaledObject.spec, minReplicas: 1 } };
    await assert.rejects(dryRun([wrong]), /unknown field .*minReplicas|minReplicas.*field not declared/);
  });
});

/** A patch is no object by itself. */
function filesOf({ files }: Recipe): readonly AnyObject[] {
  const patches = files["kustomization.yaml"]?.[0].patches.map((patch: AnyObject) => patch.path) ?? [];
  return Object.entries(files).flatMap(([name, objects]) => (patches.includes(name) ? [] : objects));
}

/** What the chart makes with the recipe's values. */
function charted({ values }: Recipe): readonly AnyObject[] {
  if (values.length === 0) return [];
  const chart = join(packageFolder, "charts/variscale");
  const helm = join(theCluster().tools.helm, "bin/helm");
  return objectsIn(execFileSync(helm, ["template", "variscale", chart, ...values], { encoding: "utf8" }));
}

/** What `kubectl kustomize` makes of the objects that were written, as the recipe says. */
function kustomized({ folder, files, written }: Recipe): readonly AnyObject[] {
  const [kustomization] = files["kustomization.yaml"] ?? [];
  if (!kustomization) return [];
  const copy = join(theCluster().folder, "kustomized");
  cpSync(folder, copy, { recursive: true });
  try {
    const [resource] = kustomization.resources;
    writeFileSync(join(copy, resource), written.map(object => `---\n${stringify(object)}`).join(""));
    const text = execFileSync(join(theCluster().tools.kubernetes, "bin/kubectl"), ["kustomize", copy], {
      encoding: "utf8",
    });
    const objects = objectsIn(text);
    assert.deepEqual(
      objects.map(({ kind }) => kind),
      ["ServiceAccount", "ConfigMap", "Service", "Deployment"],
    );
    const pod = objects.find(({ kind }) => kind === "Deployment")?.spec.template.spec;
    assert.deepEqual(
      pod.containers.map((one: AnyObject) => one.name),
      ["switcher", "triton"],
      readFileSync(join(copy, resource), "utf8"),
    );
    return objects;
  } finally {
    rmSync(copy, { recursive: true });
  }
}
