import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import type { PipelineStatus } from "../../domain/pipeline-status.ts";
import type { WatchedPipelinesOptions } from "../../scaler/cluster-pipelines.ts";
import type { ScalerOptions } from "../../scaler/main.ts";
import { KubernetesApi, refuse, type SeenRequest } from "../support/kubernetes-api.ts";
import { RunningScaler, refOf } from "./support/running-scaler.ts";

const PIPELINES = "/apis/variscale.dev/v1alpha1/inferencepipelines";
const CONFIG_MAPS = "/api/v1/configmaps";
const LABELS = { "variscale.dev/pipeline": "" };
const CONTRACT = {
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1] }],
};
const PROFILE = { cores: 1, points: [{ batch: 1, latencyMs: 10 }] };

function specOf(latencyMs: unknown, more: object = {}): object {
  const only = { name: "only", model: "only.onnx", sha256: "a".repeat(64), accuracy: 0.9, profile: PROFILE };
  const detect = { name: "detect", contract: CONTRACT, defaultVariant: "only", variants: [only] };
  return { mode: "active", slo: { latencyMs }, stages: [detect], ...more };
}

const kind = { apiVersion: "variscale.dev/v1alpha1", kind: "InferencePipeline" };

describe("pipelines that the objects of a cluster describe", () => {
  let api: KubernetesApi;
  let running: RunningScaler;
  let generation: number;
  let statuses: { readonly name: string; readonly uid: string; readonly status: PipelineStatus }[];

  beforeEach(async () => {
    generation = 0;
    statuses = [];
    api = await KubernetesApi.start();
    for (const collection of [PIPELINES, CONFIG_MAPS]) api.collections.add(collection);
    api.intercept = (request, response) => {
      if (!request.path.endsWith("/status")) return false;
      statuses.push(written(request));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
      return true;
    };
  });

  afterEach(async () => {
    await running.close();
    await api.close();
  });

  function written({ body, query, method }: SeenRequest): (typeof statuses)[number] {
    assert.equal(method, "PATCH");
    assert.equal(query.get("fieldManager"), "variscale-scaler");
    // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
    const { metadata, status: said } = body as any;
    return { name: metadata.name, uid: metadata.uid, status: said };
  }

  async function start(
    more: Partial<WatchedPipelinesOptions> = {},
    options: Partial<ScalerOptions> = {},
  ): Promise<void> {
    const from = { objects: true, configMaps: true, scaledObjects: false };
    const watchedPipelines = { config: api.config(), namespaces: ["shop"], ...from, ...more };
    running = await RunningScaler.start({ pipelines: [], watchedPipelines, ...options });
  }

  function put(spec: object, name = "cards", uid = "u-1"): void {
    generation += 1;
    api.put(PIPELINES, { ...kind, metadata: { namespace: "shop", name, uid, generation }, spec });
  }

  function putConfigMap(name: string, data: Record<string, string>): void {
    api.put(CONFIG_MAPS, { metadata: { namespace: "shop", name, labels: LABELS }, data });
  }

  // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
  async function live(name = "cards"): Promise<any> {
    return (await fetch(running.url(`/api/v1/pipelines/shop/${name}/live?after=0`))).json();
  }

  async function untilLatency(latencyMs: number | undefined, name = "cards"): Promise<void> {
    for (;;) {
      if ((await live(name)).slo?.latencyMs === latencyMs) return;
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  }

  /** The newest status of the generation that says so, and what. */
  async function untilSaid(of: number, accepted: "True" | "False", message = /^/): Promise<PipelineStatus> {
    const find = () =>
      statuses.findLast(
        ({ status: said }) =>
          said.observedGeneration === of &&
          said.conditions?.some(one => one.type === "Accepted" && one.status === accepted && message.test(one.message)),
      );
    while (!find()) {
      await running.clock.advance(1000);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    return find()?.status as PipelineStatus;
  }

  it("are there when the scaler is ready, come, change and go", async () => {
    put(specOf(500));
    await start();
    while ((await fetch(running.url("/readyz"))).status !== 200) await new Promise(r => setTimeout(r, 5));
    assert.equal((await live()).slo.latencyMs, 500);
    assert.equal((await running.keda.isActive(refOf())).result, true);
    put(specOf(700));
    await untilLatency(700);
    put(specOf(300), "scans", "u-2");
    await untilLatency(300, "scans");
    api.remove(PIPELINES, "shop", "cards");
    await untilLatency(undefined);
    await assert.rejects(running.keda.isActive(refOf()), { code: status.INVALID_ARGUMENT });
    assert.equal((await live("scans")).slo.latencyMs, 300);
  });

  it("are listed anew when what was seen is too old, and what went meanwhile goes", async () => {
    put(specOf(500));
    put(specOf(300), "scans", "u-2");
    await start();
    await untilLatency(300, "scans");
    api.cut();
    api.remove(PIPELINES, "shop", "scans");
    put(specOf(600));
    api.compact();
    await untilLatency(600);
    await untilLatency(undefined, "scans");
  });

  it("make the scaler ready only when they were listed", async () => {
    const before = api.intercept;
    api.intercept = (request, response) =>
      request.path.endsWith("/inferencepipelines")
        ? refuse(response, 503, "ServiceUnavailable", "not yet")
        : before(request, response);
    await start();
    assert.equal((await fetch(running.url("/readyz"))).status, 503);
    put(specOf(500));
    api.intercept = before;
    while ((await fetch(running.url("/readyz"))).status !== 200) await new Promise(r => setTimeout(r, 5));
    assert.equal((await live()).slo.latencyMs, 500);
  });

  it("are those of ConfigMaps alone where the definition is not installed, until it is", async () => {
    api.collections.delete(PIPELINES);
    const file = { ...kind, metadata: { name: "cards" }, spec: specOf(400) };
    putConfigMap("any", { "pipeline.yaml": JSON.stringify(file) });
    const warnings: string[] = [];
    const logger = pino({ level: "warn" }, { write: line => void warnings.push(JSON.parse(line).msg) });
    await start({}, { logger });
    const problem = async () =>
      ((await (await fetch(running.url("/api/v1/pipelines"))).json()) as { sourcesProblem: string | null })
        .sourcesProblem;
    const metrics = async () => (await fetch(running.url("/metrics"))).text();
    while ((await fetch(running.url("/readyz"))).status !== 200) await new Promise(r => setTimeout(r, 5));
    assert.equal((await live()).slo.latencyMs, 400);
    assert.match((await problem()) ?? "", /^InferencePipelines are not watched: .*variscale manifests --crd/);
    assert.match(await metrics(), /variscale_pipelines_watched\{from="object"\} 0/);
    assert.match(await metrics(), /variscale_pipelines_watched\{from="configmap"\} 1/);
    // ConfigMaps are followed on.
    file.spec = specOf(450);
    putConfigMap("any", { "pipeline.yaml": JSON.stringify(file) });
    await untilLatency(450);
    const lists = () => api.seen.filter(({ path }) => path.endsWith("/inferencepipelines")).length;
    while (lists() < 3) await new Promise(r => setTimeout(r, 5));
    put(specOf(300), "scans", "u-2");
    await untilLatency(300, "scans");
    assert.equal(await problem(), null);
    assert.match(await metrics(), /variscale_pipelines_watched\{from="object"\} 1/);
    assert.equal(warnings.filter(message => /are not watched/.test(message)).length, 1);
    // What there was stays when the definition goes.
    api.collections.delete(PIPELINES);
    api.cut();
    while ((await problem()) === null) await new Promise(r => setTimeout(r, 5));
    putConfigMap("any", { "pipeline.yaml": JSON.stringify({ ...file, spec: specOf(460) }) });
    await untilLatency(460);
    assert.equal((await live("scans")).slo.latencyMs, 300);
  });

  it("stay as they were where an edit is wrong, and say so in the status with the exact error", async () => {
    put(specOf(500));
    await start();
    const good = await untilSaid(1, "True");
    assert.equal(good.acceptedGeneration, 1);
    put(specOf("fast"));
    const wrong = await untilSaid(2, "False");
    assert.equal(wrong.acceptedGeneration, 1);
    const { reason, message } = wrong.conditions?.[0] ?? {};
    assert.equal(reason, "Refused");
    assert.match(message ?? "", /^the last good spec stays: spec\.slo\.latencyMs: .*\(is: "fast"\)/);
    assert.equal((await live()).slo.latencyMs, 500);
    put(specOf(800));
    assert.equal((await untilSaid(3, "True")).acceptedGeneration, 3);
    assert.equal((await live()).slo.latencyMs, 800);
  });

  it("write a status when there is something new, soon for what people act on and seldom for the rest", async () => {
    put(specOf(500));
    await start();
    await untilSaid(1, "True");
    running.gateway.rateRps = 10;
    while (statuses.at(-1)?.status.cores === undefined) {
      await running.clock.advance(1000);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    const pass = async (seconds: number): Promise<number> => {
      const before = statuses.length;
      for (let i = 0; i < seconds; i++) {
        await running.clock.advance(1000);
        await new Promise(resolve => setTimeout(resolve, 5));
      }
      return statuses.length - before;
    };
    // Until replicas, which nobody starts here, count as stuck and all that follows from it is said.
    await pass(200);
    const count = await pass(120);
    assert.ok(count <= 8, `${count} in two minutes`);
    assert.ok(statuses.every(({ uid }) => uid === "u-1"));
  });

  it("need the files that they name, from a ConfigMap with the label", async () => {
    put(specOf(500, { measurements: "m.json", filesFrom: { configMapRef: { name: "files" } } }));
    await start();
    const missing = await untilSaid(1, "False");
    assert.match(
      missing.conditions?.[0]?.message ?? "",
      /`m\.json`, .*no ConfigMap shop\/files .*`spec\.filesFrom` names/,
    );
    assert.equal(missing.acceptedGeneration, undefined);
    putConfigMap("files", { other: "" });
    await untilSaid(1, "False", /has no such key/);
    const measured = { machine: {}, date: "2026-01-01T00:00:00Z", stages: { detect: { only: PROFILE } } };
    putConfigMap("files", { "m.json": JSON.stringify({ ...kind, kind: "PipelineMeasurements", ...measured }) });
    await untilSaid(1, "True");
    await untilLatency(500);
    statuses = [];
    api.remove(CONFIG_MAPS, "shop", "files");
    await untilSaid(1, "False", /the last good spec stays/);
    assert.equal((await live()).slo.latencyMs, 500, "the last good one stays");
  });

  it("come from ConfigMaps too, of their own namespace alone", async () => {
    const file = (namespace?: string) =>
      JSON.stringify({ ...kind, metadata: { name: "cards", ...(namespace && { namespace }) }, spec: specOf(400) });
    putConfigMap("any", { "pipeline.yaml": file("elsewhere") });
    putConfigMap("files-alone", { "m.json": "{}" });
    await start({ set: ["spec.slo.quantile=0.5"] });
    while (!(await (await fetch(running.url("/metrics"))).text()).includes('pipelines_refused{from="configmap"} 1'))
      await new Promise(resolve => setTimeout(resolve, 5));
    assert.equal((await live()).slo, undefined);
    putConfigMap("any", { "pipeline.yaml": file() });
    await untilLatency(400);
    assert.equal((await live()).slo.quantile, 0.5);
    assert.equal((await live()).key.namespace, "shop");
  });
});
