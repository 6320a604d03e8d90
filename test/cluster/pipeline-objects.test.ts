import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import { after, before, describe, it } from "mocha";
import { blocksOf } from "../../bench/documents.ts";
import { pipelineCrd } from "../../cli/manifests/pipeline-crd.ts";
import type { ProtoGrpcType } from "../../proto/generated/externalscaler.ts";
import { loadProto } from "../../runtime/grpc.ts";
import { packageFolder } from "../../runtime/version.ts";
import { PIPELINE_ANNOTATION } from "../../scaler/described-pipeline.ts";
import { theCluster } from "./support/hooks.ts";
import type { Json } from "./support/kubernetes-api.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { until } from "./support/until.ts";

const NAMESPACE = "objects";
const COLLECTION = `/apis/variscale.dev/v1alpha1/namespaces/${NAMESPACE}/inferencepipelines`;
const CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferencepipelines.variscale.dev";
const CONTRACT = {
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1] }],
};
const PROFILE = { cores: 1, points: [1, 2, 4].map(batch => ({ batch, latencyMs: 10 * batch })) };

/** An InferencePipeline with one stage of one variant. */
function pipeline(name: string, spec: object = {}, stage: object = {}, variant: object = { profile: PROFILE }): Json {
  const only = { name: "only", model: "only.onnx", sha256: "a".repeat(64), accuracy: 0.9, ...variant };
  const detect = { name: "detect", contract: CONTRACT, defaultVariant: "only", variants: [only], ...stage };
  return {
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name, namespace: NAMESPACE },
    spec: { mode: "active", slo: { latencyMs: 500 }, stages: [detect], ...spec },
  };
}

/** No pods answer here, and a stage grows to four replicas at most before any is ready. */
const cards = (min: number, stage: object = {}) => pipeline("cards", {}, { replicas: { min, max: 50 }, ...stage });

describe("pipelines that InferencePipelines describe", () => {
  let scaler: ScalerProcess;

  const api = () => theCluster().api;
  const get = (name: string) => api().get("InferencePipeline", NAMESPACE, name);
  const conditionOf = (object: Json, type: string) => object.status?.conditions?.find((one: Json) => one.type === type);
  const untilAccepted = async (name: string, wanted: "True" | "False", generation: number): Promise<Json> => {
    let object: Json;
    await until(async () => {
      object = await get(name);
      return object.status?.observedGeneration === generation && conditionOf(object, "Accepted")?.status === wanted;
    }, `${name} of generation ${generation} has Accepted=${wanted}`);
    return object;
  };

  const scaledObject = (name: string, ofPipeline: string, stage: string): Json => {
    const metadata = { scalerAddress: scaler.address, pipeline: ofPipeline, stage };
    return {
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      metadata: { name, namespace: NAMESPACE },
      spec: { scaleTargetRef: { name }, triggers: [{ type: "external-push", metadata }] },
    };
  };

  /** GetMetrics, as KEDA asks: the value, or the code of the error. */
  async function asked(name: string): Promise<number> {
    const { ExternalScaler } = loadProto<ProtoGrpcType>("externalscaler.proto").externalscaler;
    const client = new ExternalScaler(scaler.address, credentials.createInsecure());
    const scaledObjectRef = { name, namespace: NAMESPACE, scalerMetadata: { pipeline: name, stage: "detect" } };
    try {
      return await new Promise<number>((resolve, reject) => {
        client.GetMetrics({ scaledObjectRef, metricName: "" }, (error: ServiceError | null, answer) =>
          error ? reject(error) : resolve(answer?.metricValues[0]?.metricValueFloat ?? -1),
        );
      });
    } catch (error) {
      return -(error as ServiceError).code;
    } finally {
      client.close();
    }
  }

  before(async () => {
    await api().apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } }, pipelineCrd());
    await until(async () => {
      const { body } = await api().call("GET", CRD);
      const conditions: Json[] = body.status?.conditions ?? [];
      assert.ok(!conditions.some(({ type }) => type === "NonStructuralSchema"), JSON.stringify(conditions));
      return conditions.some(one => one.type === "Established" && one.status === "True");
    }, "the definition is established");
    const from = ["crd", "configmaps", "scaledobjects"].flatMap(source => ["--pipelines-from", source]);
    const args = [...from, "--namespace", NAMESPACE];
    scaler = await ScalerProcess.start(theCluster(), [], { kubernetes: true, args });
  });

  after(() => scaler.close());

  it("are refused by the API server where the schema says no", async () => {
    for (const [what, object, code] of [
      ["a word for a number", pipeline("bad", { slo: { latencyMs: "fast" } }), 422],
      ["nothing for a positive number", pipeline("bad", { slo: { latencyMs: 0 } }), 422],
      ["another mode", pipeline("bad", { mode: "off" }), 422],
      ["no stages", pipeline("bad", { stages: [] }), 422],
      ["a name that is none", pipeline("bad", {}, { name: "A B" }), 422],
      [
        "two variants of one name",
        pipeline("bad", {}, { variants: [1, 2].map(() => ({ name: "v", model: "m" })) }),
        422,
      ],
      ["a field that there is not", pipeline("bad", { sloo: 1 }), 400],
      ["a fan-out, which it leaves to the scaler", pipeline("good", {}, { fanOut: { default: 2 } }), 201],
    ] as const) {
      const answer = await api().call("POST", `${COLLECTION}?fieldValidation=Strict&dryRun=All`, object);
      assert.equal(answer.status, code, `${what}: ${JSON.stringify(answer.body)}`);
    }
  });

  it("are served to KEDA, and say in their status what is planned", async () => {
    await api().apply(cards(2));
    await untilAccepted("cards", "True", 1);
    await until(async () => (await asked("cards")) === 2, "KEDA is told 2");
    await until(async () => (await get("cards")).status.accuracy === 0.9, "the plan is in the status");
    const { status: said } = await get("cards");
    assert.equal(said.acceptedGeneration, 1);
    assert.equal(said.mode, "active");
    assert.equal(said.loadRps, 1);
    assert.equal(said.stages[0].name, "detect");
    assert.equal(said.stages[0].goalReplicas, 2);
    assert.deepEqual(said.stages[0].parts, [{ variant: "only", batch: 1, replicas: 2, share: 1 }]);
  });

  it("are planned anew when they are edited", async () => {
    await api().apply(cards(3));
    await untilAccepted("cards", "True", 2);
    await until(async () => (await asked("cards")) === 3, "KEDA is told 3");
    await until(async () => (await get("cards")).status.stages[0].parts[0].replicas === 3, "the status says so");
    assert.equal((await get("cards")).status.acceptedGeneration, 2);
  });

  it("stay as they were where an edit is wrong, say why, and go on with the next good one", async () => {
    await api().apply(cards(6, { defaultVariant: "other" }));
    const wrong = await untilAccepted("cards", "False", 3);
    const { reason, message } = conditionOf(wrong, "Accepted");
    assert.equal(reason, "Refused");
    assert.match(message, /the last good spec stays: spec\.stages\[0\]\.defaultVariant: .*"other"/);
    assert.equal(wrong.status.acceptedGeneration, 2);
    assert.equal(await asked("cards"), 3);
    const [row] = await api().table("InferencePipeline", NAMESPACE);
    assert.equal(row.Accepted, "False");
    await api().apply(cards(4));
    await untilAccepted("cards", "True", 4);
    await until(async () => (await asked("cards")) === 4, "KEDA is told 4");
  });

  it("are shown by kubectl get with load, accuracy, cores, SLO and what is of them", async () => {
    let row: Json;
    await until(async () => {
      row = (await api().table("InferencePipeline", NAMESPACE)).find(({ Name }: Json) => Name === "cards");
      return row?.Cores === 4;
    }, "the table has the plan");
    const { Age, Decision, Latency, ...rest } = row;
    assert.match(Age, /^\d+[sm]/);
    assert.match(Decision, /^d-\d+-\d+$/);
    assert.ok(Latency > 0);
    assert.deepEqual(rest, {
      Name: "cards",
      Load: 1,
      Accuracy: 0.9,
      Cores: 4,
      SLO: 500,
      Ready: "True",
      Accepted: "True",
      Mode: "active",
    });
  });

  it("take what they name from a ConfigMap, when it is there and as it changes", async () => {
    const object = pipeline("measured", { measurements: "measurements.json" }, { replicas: { min: 1, max: 50 } }, {});
    await api().apply(object);
    const without = await untilAccepted("measured", "False", 1);
    assert.match(
      conditionOf(without, "Accepted").message,
      /`measurements\.json`, .*no ConfigMap objects\/measured with the label/,
    );
    assert.equal(conditionOf(without, "Ready").status, "False");
    assert.equal(await asked("measured"), -status.INVALID_ARGUMENT);
    const configMap = (accuracy: number) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "measured", namespace: NAMESPACE, labels: { "variscale.dev/pipeline": "" } },
      data: {
        "measurements.json": JSON.stringify({
          apiVersion: "variscale.dev/v1alpha1",
          kind: "PipelineMeasurements",
          machine: {},
          date: "2026-01-01T00:00:00Z",
          stages: { detect: { only: PROFILE } },
          accuracy: { stages: { detect: { only: { accuracy } } } },
        }),
      },
    });
    for (const accuracy of [0.8, 0.7]) {
      await api().apply(configMap(accuracy));
      await until(async () => (await get("measured")).status.accuracy === accuracy, `an accuracy of ${accuracy}`);
    }
    assert.equal(conditionOf(await get("measured"), "Accepted").status, "True");
    await api().delete("InferencePipeline", NAMESPACE, "measured");
  });

  it("come from ConfigMaps with the label too, and belong to who described them first", async () => {
    const text = JSON.stringify(pipeline("mapped", {}, { replicas: { min: 2, max: 50 } }));
    const metadata = { name: "any", namespace: NAMESPACE, labels: { "variscale.dev/pipeline": "" } };
    await api().apply({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { "pipeline.yaml": text } });
    await until(async () => (await asked("mapped")) === 2, "KEDA is told 2");
    await api().apply(pipeline("mapped", {}, { replicas: { min: 4, max: 50 } }));
    const second = await untilAccepted("mapped", "False", 1);
    assert.match(conditionOf(second, "Accepted").message, /described by ConfigMap objects\/any already/);
    await api().delete("ConfigMap", NAMESPACE, "any");
    await untilAccepted("mapped", "True", 1);
    await until(async () => (await asked("mapped")) === 4, "KEDA is told 4");
    await api().delete("InferencePipeline", NAMESPACE, "mapped");
  });

  it("come from ConfigMaps that a ScaledObject names, as long as it does, and tell it of a wrong edit", async () => {
    const file = (min: number, stage: object = {}) =>
      JSON.stringify(pipeline("named", {}, { replicas: { min, max: 50 }, ...stage }));
    const put = (text: string) =>
      api().apply({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "of-named", namespace: NAMESPACE },
        data: { "pipeline.yaml": text },
      });
    await put(file(2));
    await api().apply(scaledObject("named", "named", "detect"));
    assert.equal(await asked("named"), -status.INVALID_ARGUMENT);
    await api().merge("ScaledObject", NAMESPACE, "named", {
      metadata: { annotations: { [PIPELINE_ANNOTATION]: "of-named" } },
    });
    await until(async () => (await asked("named")) === 2, "KEDA is told 2");
    await put(file(3));
    await until(async () => (await asked("named")) === 3, "KEDA is told 3");
    await put(file(6, { defaultVariant: "other" }));
    const isTold = ({ reason, regarding, note }: Json) =>
      reason === "VariscalePipelineRefused" && regarding.name === "named" && /defaultVariant: .*"other"/.test(note);
    await until(async () => (await api().list("Event", NAMESPACE)).some(isTold), "the ScaledObject has an Event");
    assert.equal(await asked("named"), 3);
    await api().delete("ConfigMap", NAMESPACE, "of-named");
    await until(async () => /there is no ConfigMap objects\/of-named/.test(scaler.program.log()), "it is said");
    assert.equal(await asked("named"), 3);
    await put(file(4));
    await until(async () => (await asked("named")) === 4, "KEDA is told 4");
    await api().delete("ScaledObject", NAMESPACE, "named");
    await until(async () => (await asked("named")) === -status.INVALID_ARGUMENT, "KEDA is told that there is none");
  });

  it("are made by the commands of docs/pipeline-sources.md, word for word", async () => {
    const { folder, kubeconfig, tools } = theCluster();
    const bin = join(folder, "document-bin");
    mkdirSync(bin);
    const command = (name: string, text: string) =>
      writeFileSync(join(bin, name), `#!/bin/sh\nexec ${text} "$@"\n`, { mode: 0o755 });
    command("kubectl", `${join(tools.kubernetes, "bin/kubectl")} --namespace ${NAMESPACE}`);
    command("variscale", `${process.execPath} ${join(packageFolder, "dist/cli/main.js")}`);
    const env = { ...process.env, KUBECONFIG: kubeconfig, PATH: `${bin}:${process.env["PATH"]}` };
    const blocks = blocksOf("docs/pipeline-sources.md").filter(({ text }) => text.includes("kubectl "));
    assert.equal(blocks.length, 4);
    await api().apply(scaledObject("id-card-detection", "id-card", "detection"));
    for (const { text } of blocks)
      execFileSync("bash", ["-euo", "pipefail", "-c", text], { cwd: packageFolder, env, stdio: "pipe" });
    for (const [name, key] of [
      ["id-card", "measurements.json"],
      ["cards", "pipeline.yaml"],
    ] as const) {
      const { metadata, data } = await api().get("ConfigMap", NAMESPACE, name);
      assert.equal(metadata.labels["variscale.dev/pipeline"], "");
      assert.ok(data[key], `${name} has ${key}`);
      await api().delete("ConfigMap", NAMESPACE, name);
    }
    assert.equal((await get("id-card")).spec.stages.length, 2);
    await api().delete("InferencePipeline", NAMESPACE, "id-card");
    // The others are gone: this one is by the annotation.
    const page = () => scaler.page({ namespace: NAMESPACE, name: "id-card" });
    await until(
      () => scaler.program.log().includes('"origin":"ConfigMap objects/id-card-pipeline"'),
      "it is looked at",
    );
    await until(async () => (await page()) !== null, "the pipeline of the annotation");
    await api().delete("ScaledObject", NAMESPACE, "id-card-detection");
    await until(async () => (await page()) === null, "it goes with the annotation");
    await api().delete("ConfigMap", NAMESPACE, "id-card-pipeline");
  });

  it("are unknown to KEDA when they are deleted", async () => {
    await api().delete("InferencePipeline", NAMESPACE, "cards");
    await until(async () => (await asked("cards")) === -status.INVALID_ARGUMENT, "KEDA is told that there is none");
    assert.equal(await scaler.page({ namespace: NAMESPACE, name: "cards" }), null);
  });
});
