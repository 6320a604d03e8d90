import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { examine } from "../../../cli/doctor/doctor.ts";
import { type Finding, formatFindings } from "../../../cli/doctor/finding.ts";
import { testPipeline, testPipelineText } from "../../scaler/support/test-pipeline.ts";
import { KubernetesApi, refuse } from "../../support/kubernetes-api.ts";
import { TEST_CA } from "../../support/kubernetes-certificates.ts";
import { runVariscale } from "../support/run-variscale.ts";
import { DEPLOYMENTS, examinedCluster, isWrong, only, PIPELINE } from "./examined-cluster.ts";

describe("doctor", () => {
  const cluster = examinedCluster();

  it("finds nothing wrong with what `manifests` writes, and changes nothing", async () => {
    const findings = await cluster.run();
    assert.deepEqual(findings.filter(isWrong), [], formatFindings(findings));
    assert.match(only(findings, "api-server").what, /v1\.36/);
    assert.match(only(findings, "keda").what, /2\.21\.0/);
    assert.match(only(findings, "scaler").what, /metric variscale-cards-detect for shop\/cards-detect/);
    assert.match(only(findings, "tolerance").what, /exactly/);
    assert.match(only(findings, "rollout").what, /takes no replica away, and adds up to 3 pods to 10/);
    assert.match(only(findings, "metrics-source").what, /^load comes: 20\.0 requests a second/);
    assert.deepEqual(
      findings.filter(({ check }) => check === "clock" || check === "versions").map(({ where }) => where),
      [
        cluster.api.config().server,
        ...Array<string>(2).fill(`scaler ${cluster.trigger.metadata.scalerAddress}`),
        "pipeline shop/cards",
      ],
    );
    assert.ok(cluster.api.seen.every(request => request.method === "GET"));
  });

  it("says only that the API server can't be reached when it can't", async () => {
    await cluster.api.close();
    const options = {
      client: cluster.client,
      pipeline: PIPELINE,
      namespace: "shop",
      kedaNamespace: "keda",
      scaler: null,
      scalerPair: null,
      nowMs: 0,
    };
    const findings = await examine(options);
    assert.equal(only(findings, "api-server").kind, "fail");
    assert.equal(findings.length, 1);
    cluster.api = await KubernetesApi.start();
  });

  it("warns of what it may not look at", async () => {
    cluster.api.intercept = (request, response) =>
      request.path.includes("apiextensions") && refuse(response, 403, "Forbidden", "no");
    await cluster.wrong("keda", "warn", /could not be checked/);
  });

  it("says so where there is nothing of variscale", async () => {
    const findings = await cluster.run({ pipeline: null, namespace: "empty" });
    assert.equal(only(findings, "scaled-objects").kind, "warn");
    assert.ok((await cluster.run({ pipeline: null, namespace: null })).some(({ check }) => check === "scaler"));
  });

  it("knows what is not there", async () => {
    cluster.objects.autoscaler = null;
    await cluster.wrong("hpa", "fail", /is not there/);
    cluster.api.remove(DEPLOYMENTS, "shop", "cards-detect");
    cluster.objects.deployment = null;
    const findings = await cluster.run();
    assert.equal(only(findings, "target").kind, "fail");
  });

  it("compares bounds and stages with the pipeline file", async () => {
    cluster.objects.scaledObject.spec.maxReplicaCount = 5;
    cluster.objects.autoscaler.spec.maxReplicas = 5;
    cluster.objects.autoscaler.spec.minReplicas = 2;
    assert.match(only(await cluster.run(), "hpa-bounds").what, /allows 2 to 5 replicas and the ScaledObject 1 to 5/);
    cluster.objects.autoscaler.spec.minReplicas = 1;
    await cluster.wrong("bounds", "warn", /allows 1 to 5 replicas and the pipeline file 1 to 10/);
    cluster.objects.scaledObject.spec.minReplicaCount = 50;
    cluster.objects.scaledObject.spec.maxReplicaCount = 60;
    cluster.objects.autoscaler.spec.minReplicas = 50;
    cluster.objects.autoscaler.spec.maxReplicas = 60;
    await cluster.wrong("bounds", "fail", /no count is within both/);
    const two = await cluster.run({ pipeline: testPipeline() });
    assert.match(only(two, "coverage").what, /no ScaledObject scales stage read/);
  });

  it("takes a pipeline for that of --namespace, whatever its file says", async () => {
    await cluster.run();
    const folder = mkdtempSync(join(tmpdir(), "variscale-doctor-"));
    try {
      const file = join(folder, "cards.json");
      writeFileSync(file, testPipelineText({ namespace: "default", stages: ["detect"] }));
      const authority = Buffer.from(TEST_CA).toString("base64");
      const config = {
        "current-context": "here",
        contexts: [{ name: "here", context: { cluster: "c", user: "u", namespace: "elsewhere" } }],
        clusters: [
          { name: "c", cluster: { server: cluster.api.config().server, "certificate-authority-data": authority } },
        ],
        users: [{ name: "u", user: { token: "t" } }],
      };
      writeFileSync(join(folder, "config"), JSON.stringify(config));
      const flags = ["--namespace", "shop", "--scaler-url", cluster.running.url(""), "--output", "json"];
      const env = { KUBECONFIG: join(folder, "config") };
      const { status, stdout, stderr } = await runVariscale(["doctor", file, ...flags], { env });
      assert.equal(status, 0, `${stdout}${stderr}`);
      const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
      const coverage = only(findings, "coverage");
      assert.deepEqual([coverage.kind, coverage.where], ["ok", "pipeline shop/cards"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
