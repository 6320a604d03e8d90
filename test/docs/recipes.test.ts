import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { checkRollout } from "../../cli/doctor/check-rollout.ts";
import { autoscalerSchema, targetSchema } from "../../cli/doctor/cluster-objects.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";
import { type AnyObject, type Recipe, readRecipes } from "../support/recipes.ts";

const NAMES = ["gitops", "kserve", "plain-deployments", "triton-with-switcher"] as const;

/** With more than one replica, shares of them round to some. */
const HPA = autoscalerSchema.parse({
  metadata: { name: "hpa" },
  spec: { maxReplicas: 20, behavior: { scaleUp: { tolerance: "0" }, scaleDown: { tolerance: "0" } } },
});

describe("docs/recipes", () => {
  let recipes: ReadonlyMap<string, Recipe>;

  before(() => {
    recipes = new Map(readRecipes().map(recipe => [recipe.name, recipe]));
  });

  const recipe = (name: (typeof NAMES)[number]): Recipe => recipes.get(name) ?? assert.fail(name);
  const ofKind = (objects: readonly AnyObject[], kind: string): readonly AnyObject[] =>
    objects.filter(object => object.kind === kind);

  it("are those that the list names, and each page names its files", () => {
    const list = readFileSync(join(packageFolder, "docs/recipes/README.md"), "utf8");
    const named = [...list.matchAll(/^\| \[[^\]]+\]\(([a-z-]+)\/README\.md\)/gm)].map(match => match[1]);
    assert.deepEqual(named.sort(), NAMES);
    assert.deepEqual([...recipes.keys()].sort(), NAMES);
    for (const { page, files } of recipes.values())
      for (const file of Object.keys(files)) assert.ok(page.includes(`](${file})`), file);
  });

  it("scale what is there: the chart is told a Deployment of the recipe for every stage", () => {
    for (const [name, deployments] of [
      [
        "plain-deployments",
        ofKind(recipe("plain-deployments").files["deployments.yaml"] ?? [], "Deployment").map(nameOf),
      ],
      // As KServe names it.
      ["kserve", (recipe("kserve").files["inference-service.yaml"] ?? []).map(one => `${nameOf(one)}-predictor`)],
      ["triton-with-switcher", ofKind(recipe("triton-with-switcher").written, "Deployment").map(nameOf)],
    ] as const) {
      const { folder, values } = recipe(name);
      const pipeline = readPipeline(join(folder, "pipeline.yaml"));
      const targets = values.flatMap(value => [
        ...value.matchAll(/pipelines\.parcels\.stages\.targets\.(\w+)\.name=([\w-]+)/g),
      ]);
      assert.deepEqual(
        targets.map(([, stage, target]) => [stage, target]),
        pipeline.stages.map((stage, i) => [stage.name, deployments[i]]),
      );
      assert.equal(deployments.length, pipeline.stages.length);
      assert.equal(values[values.indexOf("--namespace") + 1], pipeline.key.namespace);
    }
  });

  it("count load by a series selector, of a source that the operator names", () => {
    for (const name of ["plain-deployments", "kserve", "triton-with-switcher"] as const) {
      const { loadSource, loadQuery } = readPipeline(join(recipe(name).folder, "pipeline.yaml"));
      assert.equal(loadSource, "prometheus");
      assert.ok(loadQuery?.kind === "counter");
      assert.match(loadQuery.selector, /^[a-z_]*\{[^{}]+\}$/);
    }
  });

  it("name no replicas, and a rollout takes none away", () => {
    const own = ofKind(recipe("plain-deployments").files["deployments.yaml"] ?? [], "Deployment");
    const ours = ofKind(recipe("triton-with-switcher").written, "Deployment");
    for (const deployment of [...own, ...ours]) {
      assert.equal(deployment.spec.replicas, undefined);
      const findings = checkRollout(targetSchema.parse(deployment), HPA, nameOf(deployment));
      assert.deepEqual(
        findings.map(({ kind }) => kind),
        ["ok"],
      );
    }
    const service = fileOf(recipe("kserve").files, "inference-service.yaml");
    assert.equal(service.spec.predictor.deploymentStrategy.rollingUpdate.maxUnavailable, 0);
    assert.deepEqual([service.spec.predictor.minReplicas, service.spec.predictor.maxReplicas], [undefined, undefined]);
  });

  it("keep KServe from making an HPA of its own", () => {
    const service = fileOf(recipe("kserve").files, "inference-service.yaml");
    assert.equal(service.apiVersion, "serving.kserve.io/v1beta1");
    assert.equal(service.metadata.annotations["serving.kserve.io/autoscalerClass"], "external");
    assert.equal(service.metadata.annotations["serving.kserve.io/deploymentMode"], "Standard");
  });

  it("have Triton where the switcher looks for it, on ports that the switcher leaves free", () => {
    const { files, written, folder } = recipe("triton-with-switcher");
    const { containers } = fileOf(files, "triton.yaml").spec.template.spec;
    const triton = containers.find((one: AnyObject) => one.name === "triton");
    const flags = Object.fromEntries(triton.args.slice(1).map((arg: string) => arg.replace(/^--/, "").split("=")));
    const urls = readPipeline(join(folder, "pipeline.yaml")).stages.flatMap(({ variants }) =>
      variants.map(one => one.url),
    );
    for (const url of urls) assert.equal(url, `http://${flags["http-address"]}:${flags["http-port"]}`);
    assert.equal(flags["model-control-mode"], "explicit");
    const [deployment] = ofKind(written, "Deployment");
    const pod = deployment.spec.template.spec;
    const taken = pod.containers[0].ports.map((port: AnyObject) => port.containerPort);
    for (const port of [flags["http-port"], flags["metrics-port"]]) assert.ok(!taken.includes(Number(port)));
    assert.ok(pod.volumes.some((volume: AnyObject) => volume.name === "models"));
    // Both containers together are the pod that the file says.
    const { cores, memoryMiB } = fileOf(files, "pipeline.yaml").spec.stages[0];
    const sum = (parse: (amounts: AnyObject) => number) =>
      containers.reduce((total: number, one: AnyObject) => total + parse(one.resources.limits), 0);
    assert.equal(
      sum(({ cpu }) => Number.parseInt(cpu, 10) / 1000),
      cores,
    );
    assert.equal(
      sum(({ memory }) => Number.parseInt(memory, 10)),
      memoryMiB,
    );
  });

  it("keep GitOps tools from setting replicas and certificates back", () => {
    const { files } = recipe("gitops");
    const application = fileOf(files, "argocd-application.yaml");
    const ignored = application.spec.ignoreDifferences.map((one: AnyObject) => `${one.kind} ${one.jsonPointers}`);
    assert.deepEqual(ignored, ["Deployment /spec/replicas", "StatefulSet /spec/replicas", "Secret /data"]);
    assert.ok(application.spec.syncPolicy.syncOptions.includes("RespectIgnoreDifferences=true"));
    const [release] = ofKind(files["flux-helm-release.yaml"] ?? [], "HelmRelease");
    assert.ok(release.spec.driftDetection.ignore.every((one: AnyObject) => one.paths.includes("/spec/replicas")));
    assert.equal(release.spec.driftDetection.mode, "enabled");
  });
});

function nameOf(object: AnyObject): string {
  return object.metadata.name;
}

/** The first object of a file. */
function fileOf(files: Recipe["files"], name: string): AnyObject {
  return files[name]?.[0] ?? assert.fail(`no ${name}`);
}
