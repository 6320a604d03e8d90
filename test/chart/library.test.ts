import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { parseAllDocuments } from "yaml";
import { packageFolder } from "../../runtime/version.ts";
import { ID_CARD, type KubernetesObject, named, render } from "./helm.ts";

const chart = join(packageFolder, "charts/variscale");

/** Of a chart with pods of its own, to each of which it gives a switcher. */
const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: { name: own }
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 60
      containers:
        {{- include "variscale.switcherSidecar" (dict
          "image" "registry.example/variscale:0.2.0" "pipeline" "id-card" "stage" "detection"
          "scalerAddress" "shop-variscale-switchers.shop.svc.cluster.local:6001"
          "cores" 1 "memoryMiB" 768 "preStopSeconds" 20 "tlsSecret" "client" "showToken" true) | nindent 8 }}
      volumes:
        {{- include "variscale.switcherVolumes" (dict
          "models" (dict "persistentVolumeClaim" (dict "claimName" "models"))
          "pipelineVolume" (dict "configMap" (dict "name" "shop-variscale-id-card")) "tlsSecret" "client" "showToken" true) | nindent 8 }}
`;

describe("the chart as a dependency", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-parent-"));
    mkdirSync(join(folder, "templates"));
    mkdirSync(join(folder, "charts"));
    symlinkSync(chart, join(folder, "charts/variscale"));
    writeFileSync(join(folder, "Chart.yaml"), "apiVersion: v2\nname: parent\nversion: 1.0.0\n");
    writeFileSync(join(folder, "templates/own.yaml"), DEPLOYMENT);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("gives pods of one's own the switcher that its own stages have, with preStop, the certificates and the token", () => {
    const values = ID_CARD.map(value => value.replace(/^(--set(?:-file)?=)/, "$1variscale."));
    const { status, stdout, stderr } = spawnSync(
      process.env["VARISCALE_HELM"] ?? "helm",
      ["template", "shop", folder, "--namespace=shop", ...values],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
    const objects: readonly KubernetesObject[] = parseAllDocuments(stdout).map(document => document.toJS());
    const { spec } = named(objects, "Deployment", "own").spec.template;
    const [own] = spec.containers;
    const other = named(
      render(...ID_CARD, "--set=tls.existingSecret=client,switcher.preStopSeconds=20,switcher.identity=tokenReview"),
      "Deployment",
      "variscale-id-card-detection",
    ).spec.template.spec;
    const { args, resources, ...rest } = own;
    const { args: ofChart, resources: sized, ...restOfChart } = other.containers[0];
    assert.deepEqual(rest, restOfChart);
    assert.deepEqual(resources.limits, { cpu: "1", memory: "768Mi" });
    assert.deepEqual(Object.keys(sized), Object.keys(resources));
    assert.equal(own.lifecycle.preStop.sleep.seconds, 20);
    const names = (list: readonly string[]) => list.map(arg => arg.split("=")[0]);
    assert.deepEqual(names(args), names(ofChart));
    // The ConfigMap that it mounts is there, with its configuration, and the Service that it reports to too.
    const { data } = named(objects, "ConfigMap", "shop-variscale-id-card");
    assert.ok(data["switcher-detection.json"]);
    named(objects, "Service", "shop-variscale-switchers");
    const volumes: readonly string[] = spec.volumes.map(({ name }: KubernetesObject) => name);
    for (const { name } of own.volumeMounts) assert.ok(volumes.includes(name), name);
    assert.ok(names(args).includes("--scaler-token-file"));
    assert.ok(spec.volumes.at(-1).projected);
  });
});

describe("Chart.yaml", () => {
  it("says for Artifact Hub what there is", () => {
    const [document] = parseAllDocuments(readFileSync(join(chart, "Chart.yaml"), "utf8"));
    const { annotations } = document?.toJS() ?? {};
    const [crd] = parseAllDocuments(annotations["artifacthub.io/crds"])[0]?.toJS() ?? [];
    const [definition] = parseAllDocuments(readFileSync(join(chart, "files/inferencepipelines.yaml"), "utf8"));
    const { metadata, spec } = definition?.toJS() ?? {};
    assert.equal(crd.name, metadata.name);
    assert.equal(crd.kind, spec.names.kind);
    assert.equal(crd.version, spec.versions[0].name);
    for (const { kind, description } of parseAllDocuments(annotations["artifacthub.io/changes"])[0]?.toJS() ?? [])
      assert.ok(/^(added|changed|fixed|removed|security|deprecated)$/.test(kind) && description);
  });
});
