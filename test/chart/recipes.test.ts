import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import { packageFolder } from "../../runtime/version.ts";
import { type Recipe, readRecipes, valuesIn } from "../support/recipes.ts";
import { type KubernetesObject, named, render } from "./helm.ts";
import { SeenCluster } from "./seen-cluster.ts";

const scalerOf = (objects: readonly KubernetesObject[]): KubernetesObject =>
  named(objects, "Deployment", "variscale-scaler").spec.template.spec.containers[0];

describe("the chart, as pages install it", () => {
  const recipes = readRecipes();
  const installing = recipes.filter(({ values }) => values.length > 0);

  it("is installed by every recipe with a pipeline", () => {
    const withPipeline = recipes.filter(({ files }) => "pipeline.yaml" in files);
    assert.deepEqual(
      installing.map(({ name }) => name),
      withPipeline.map(({ name }) => name),
    );
  });

  for (const { name, values, files } of installing)
    it(`${name}: gives the scaler the pipeline file and its Prometheus, and each stage a ScaledObject that acts`, () => {
      const objects = render(...values);
      const { metadata, spec } = files["pipeline.yaml"]?.[0] ?? assert.fail("no pipeline.yaml");
      const { data } = named(objects, "ConfigMap", `variscale-${metadata.name}`);
      const parsed = parsePipelineFile(data["pipeline.yaml"], file => data[file] ?? null);
      assert.ok(parsed.ok, JSON.stringify(parsed));
      assert.equal(parsed.pipeline.mode, "active");
      assert.ok(parsed.pipeline.loadQuery?.kind === "counter");
      assert.equal(parsed.pipeline.loadQuery.selector, spec.load.counter);
      const { args } = scalerOf(objects);
      assert.ok(args.includes(`/app/mounted/${metadata.name}`));
      const source = `--load-source=${parsed.pipeline.loadSource}=prometheus+http://prometheus.monitoring:9090`;
      assert.ok(args.includes(source), args.join(" "));
      const scaledObjects = objects.filter(({ kind }) => kind === "ScaledObject");
      assert.deepEqual(
        scaledObjects.map(one => one.spec.triggers[0].metadata.stage),
        spec.stages.map((stage: KubernetesObject) => stage.name),
      );
      for (const one of scaledObjects)
        assert.equal(one.metadata.annotations?.["autoscaling.keda.sh/paused"], undefined);
      assert.equal(objects.filter(({ kind }) => kind === "Deployment").length, 1);
    });

  it("triton-with-switcher: has the Service that the written switchers report to", () => {
    const { values, written } = recipes.find(({ name }) => name === "triton-with-switcher") ?? assert.fail();
    const { data } = written.find(({ kind }) => kind === "ConfigMap");
    const { scalerAddress } = JSON.parse(data["switcher.json"]);
    const { metadata, spec } = named(render(...values), "Service", "variscale-switchers");
    assert.equal(scalerAddress, `${metadata.name}.${metadata.namespace}.svc.cluster.local:${spec.ports[0].port}`);
  });

  it("gitops: takes the values of both files, and its scaler finds pipelines and their load", () => {
    const { files } = recipes.find(({ name }) => name === "gitops") ?? assert.fail();
    for (const [namespace, given] of gitOpsValues(files)) {
      const objects = render(
        ...Object.entries(given).map(([key, value]) => `--set-json=${key}=${JSON.stringify(value)}`),
      );
      const { args, image } = scalerOf(objects);
      assert.equal(image, "registry.example/variscale:0.2.0");
      assert.ok(args.includes("--pipelines-from=configmaps"));
      assert.ok(args.includes("--load-source=prometheus=prometheus+http://prometheus.monitoring:9090"));
      // Where the other recipes have their pipelines: the scaler looks at its own namespace alone.
      assert.equal(namespace, "shop");
    }
  });

  for (const page of ["charts/variscale/README.md", "docs/quick-start-kubernetes.md"])
    it(`${page}: names the Secret with the token that the chart gives both scalers`, async () => {
      const text = readFileSync(join(packageFolder, page), "utf8");
      const [, name, key] = /get secret (\S+) --output jsonpath='\{\.data\.(\w+)\}'/.exec(text) ?? [];
      const values = valuesIn(text)
        .filter(value => value !== "--create-namespace")
        .map(value => value.replace(/=(pipelines\/.*)$/, `=${packageFolder}/$1`));
      const cluster = await SeenCluster.open();
      try {
        const { env } = scalerOf(await cluster.install(values));
        const token = env.find(({ name: variable }: KubernetesObject) => variable === "VARISCALE_TOKEN");
        assert.deepEqual(token?.valueFrom, { secretKeyRef: { name, key } });
      } finally {
        await cluster.close();
      }
    });
});

/** The namespace of each release, and its values. */
function gitOpsValues(files: Recipe["files"]): readonly (readonly [string, object])[] {
  const [application] = files["argocd-application.yaml"] ?? [];
  const release = files["flux-helm-release.yaml"]?.find(({ kind }) => kind === "HelmRelease");
  return [
    [application?.spec.destination.namespace, application?.spec.source.helm.valuesObject],
    [release?.metadata.namespace, release?.spec.values],
  ];
}
