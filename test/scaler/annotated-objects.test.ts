import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { WatchedPipelinesOptions } from "../../scaler/cluster-pipelines.ts";
import { PIPELINE_ANNOTATION, PIPELINE_LABEL } from "../../scaler/described-pipeline.ts";
import { MOST_NAMED } from "../../scaler/named-config-maps.ts";
import { KubernetesApi } from "../support/kubernetes-api.ts";
import { until } from "./support/manual-clock.ts";
import { RunningScaler, refOf } from "./support/running-scaler.ts";

const SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/scaledobjects";
const CONFIG_MAPS = "/api/v1/configmaps";
const EVENTS = "/apis/events.k8s.io/v1/events";
const OTHERS = ["/apis/autoscaling/v2/horizontalpodautoscalers", "/apis/apps/v1/deployments"];
const CONTRACT = {
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1] }],
};

function fileOf(latencyMs: unknown, name = "cards"): string {
  const profile = { cores: 1, points: [{ batch: 1, latencyMs: 10 }] };
  const only = { name: "only", model: "only.onnx", sha256: "a".repeat(64), accuracy: 0.9, profile };
  const detect = { name: "detect", contract: CONTRACT, defaultVariant: "only", variants: [only] };
  const spec = { mode: "active", slo: { latencyMs }, stages: [detect] };
  return JSON.stringify({
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name },
    spec,
  });
}

describe("pipelines that the annotations of ScaledObjects name", () => {
  let api: KubernetesApi;
  let running: RunningScaler;

  beforeEach(async () => {
    api = await KubernetesApi.start();
    for (const collection of [SCALED_OBJECTS, CONFIG_MAPS, EVENTS, ...OTHERS]) api.collections.add(collection);
  });

  afterEach(async () => {
    await running.close();
    await api.close();
  });

  async function start(more: Partial<WatchedPipelinesOptions> = {}): Promise<void> {
    const from = { objects: false, configMaps: false, scaledObjects: true };
    const watchedPipelines = { config: api.config(), namespaces: ["shop"], ...from, ...more };
    const kubernetes = { config: api.config(), hpaTolerance: 0.1, instance: "scaler-0" };
    running = await RunningScaler.start({ pipelines: [], watchedPipelines, kubernetes });
  }

  async function startReady(more: Partial<WatchedPipelinesOptions> = {}): Promise<void> {
    await start(more);
    while ((await fetch(running.url("/readyz"))).status !== 200) await new Promise(r => setTimeout(r, 5));
  }

  /** @param configMap null: it has no annotation. */
  function putScaledObject(configMap: string | null, name = "detect", pipeline = "cards"): void {
    const trigger = { type: "external-push", metadata: { scalerAddress: "s:6000", pipeline, stage: "detect" } };
    const annotations = configMap === null ? {} : { [PIPELINE_ANNOTATION]: configMap };
    api.put(SCALED_OBJECTS, {
      metadata: { namespace: "shop", name, annotations },
      spec: { scaleTargetRef: { name }, triggers: [{ type: "cron", metadata: {} }, trigger] },
    });
  }

  function putConfigMap(data: Record<string, string>, name = "any", labels: Record<string, string> = {}): void {
    api.put(CONFIG_MAPS, { metadata: { namespace: "shop", name, labels }, data });
  }

  const removeConfigMap = (name = "any") => api.remove(CONFIG_MAPS, "shop", name);

  // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
  async function live(name = "cards"): Promise<any> {
    return (await fetch(running.url(`/api/v1/pipelines/shop/${name}/live?after=0`))).json();
  }

  async function untilLatency(latencyMs: number | undefined, name = "cards"): Promise<void> {
    const endMs = performance.now() + 60_000;
    while ((await live(name)).slo?.latencyMs !== latencyMs) {
      assert.ok(performance.now() < endMs, `${name} has not become ${latencyMs}`);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  }

  async function metric(pattern: RegExp): Promise<string | undefined> {
    return pattern.exec(await (await fetch(running.url("/metrics"))).text())?.[1];
  }

  const refused = () => metric(/^variscale_pipelines_refused\{from="configmap"\} (\d+)$/m);

  function notes(scaledObject = "detect"): readonly string[] {
    return api
      .all(EVENTS)
      .filter(({ reason, regarding }) => {
        const { kind, name } = regarding as { readonly kind: string; readonly name: string };
        return reason === "VariscalePipelineRefused" && kind === "ScaledObject" && name === scaledObject;
      })
      .map(({ note }) => String(note));
  }

  async function untilTold(reason: RegExp): Promise<void> {
    for (let second = 0; second < 100 && !notes().some(note => reason.test(note)); second++) {
      await running.clock.advance(1000);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    assert.ok(
      notes().some(note => reason.test(note)),
      `${reason} in ${notes()}`,
    );
  }

  it("are there when the scaler is ready, follow the ConfigMap, and go with the last annotation", async () => {
    putConfigMap({ "pipeline.yaml": fileOf(500) });
    putConfigMap({ "pipeline.yaml": fileOf(900, "scans") }, "other");
    putScaledObject("any");
    putScaledObject("any", "detect-2");
    putScaledObject(null, "detect-3");
    await startReady();
    assert.equal((await live()).slo.latencyMs, 500);
    assert.equal((await running.keda.isActive(refOf())).result, true);
    putConfigMap({ "pipeline.yaml": fileOf(700) });
    await untilLatency(700);
    api.remove(SCALED_OBJECTS, "shop", "detect");
    putConfigMap({ "pipeline.yaml": fileOf(800) });
    await untilLatency(800);
    putScaledObject(null, "detect-2");
    await untilLatency(undefined);
    await assert.rejects(running.keda.isActive(refOf()), { code: status.INVALID_ARGUMENT });
    // Of all ConfigMaps of the namespace only the one was read.
    const read = api.seen.filter(({ path }) => path.endsWith("/configmaps"));
    assert.deepEqual([...new Set(read.map(({ query }) => query.get("fieldSelector")))], ["metadata.name=any"]);
    assert.equal((await live("scans")).slo, undefined);
  });

  it("come with the first annotation, and move with it to another ConfigMap", async () => {
    putConfigMap({ "pipeline.yaml": fileOf(500) });
    putConfigMap({ "pipeline.yaml": fileOf(600) }, "next");
    await startReady();
    assert.equal((await live()).slo, undefined);
    putScaledObject("any");
    await untilLatency(500);
    let release = (): void => undefined;
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    let isAsked = false;
    api.hold = ({ query }) => {
      if (query.get("fieldSelector") !== "metadata.name=next") return null;
      isAsked = true;
      return released;
    };
    putScaledObject("next");
    await until(() => isAsked, "the next one is asked for");
    await running.clock.advance(1000);
    assert.equal((await live()).slo.latencyMs, 500);
    release();
    await untilLatency(600);
    removeConfigMap();
    putConfigMap({ "pipeline.yaml": fileOf(650) }, "next");
    await untilLatency(650);
    assert.equal(await refused(), "0");
  });

  it("stay as they were where an edit is wrong or the ConfigMap goes, and say so", async () => {
    putConfigMap({ "pipeline.yaml": fileOf(500) });
    putScaledObject("any");
    await startReady();
    for (const [edit, reason] of [
      [() => putConfigMap({ "pipeline.yaml": fileOf("fast") }), /spec\.slo\.latencyMs: .*"fast"/],
      [
        () => putConfigMap({ "pipeline.yml": fileOf(600) }),
        /ConfigMap shop\/any, which .* names, has no key `pipeline\.yaml`/,
      ],
      [
        () => removeConfigMap(),
        /there is no ConfigMap shop\/any, which the annotation .* of ScaledObject shop\/detect names/,
      ],
    ] as const) {
      edit();
      await untilTold(reason);
      assert.ok(
        notes().every(note => /^the last good one of pipeline cards stays/.test(note)),
        notes().join("\n"),
      );
      assert.equal((await live()).slo.latencyMs, 500);
      assert.equal(await refused(), "1");
      const accepted = await metric(/^variscale_condition\{[^}]*pipeline="cards"[^}]*type="Accepted"[^}]*\} (\d)$/m);
      assert.equal(accepted, "0");
    }
    putConfigMap({ "pipeline.yaml": fileOf(600) });
    await untilLatency(600);
    assert.equal(await refused(), "0");
  });

  const wrong: readonly (readonly [string, () => void, RegExp])[] = [
    ["there is no such ConfigMap", () => putScaledObject("none"), /^there is no ConfigMap shop\/none, .*: create it/],
    ["it is the name of none", () => putScaledObject("A b"), /is "A b": it must be the name of a ConfigMap/],
    [
      "it describes another pipeline",
      () => {
        putConfigMap({ "pipeline.yaml": fileOf(500, "scans") });
        putScaledObject("any");
      },
      /describes pipeline scans, and ScaledObject shop\/detect, which names it, asks for cards/,
    ],
  ];
  for (const [what, put, reason] of wrong)
    it(`are refused where ${what}, and the ScaledObject is told until it is corrected`, async () => {
      put();
      await startReady();
      assert.equal(await refused(), "1");
      await until(() => notes().length === 1, "an Event");
      assert.match(notes()[0] ?? "", reason);
      putConfigMap({ "pipeline.yaml": fileOf(500) }, "good");
      putScaledObject("good");
      await untilLatency(500);
      assert.equal(await refused(), "0");
    });

  it("are taken where one of those that name it is of another pipeline, which is told so", async () => {
    putConfigMap({ "pipeline.yaml": fileOf(500) });
    putScaledObject("any", "a-stranger", "scans");
    putScaledObject("any");
    await startReady();
    assert.equal((await live()).slo?.latencyMs, 500);
    assert.equal(await refused(), "0");
    await until(() => notes("a-stranger").length === 1, "an Event");
    assert.match(notes("a-stranger")[0] ?? "", /describes pipeline cards, and .* shop\/a-stranger, .* asks for scans/);
    assert.deepEqual(notes(), []);
    putScaledObject(null, "a-stranger", "scans");
    putConfigMap({ "pipeline.yaml": fileOf(600) });
    await untilLatency(600);
    // A stranger alone is refused, and what was taken stays.
    putScaledObject("any", "a-stranger", "scans");
    putScaledObject(null);
    while ((await refused()) !== "1") await new Promise(resolve => setTimeout(resolve, 5));
    assert.equal((await live()).slo.latencyMs, 600);
  });

  it("are followed up to a bound, and what is beyond is refused until there is room", async () => {
    // The names of ScaledObjects are their order.
    const nameOf = (i: number) => `o-${String(i).padStart(3, "0")}`;
    for (let i = 0; i < MOST_NAMED; i++) putScaledObject(`none-${i}`, nameOf(i));
    putConfigMap({ "pipeline.yaml": fileOf(500) });
    putScaledObject("any", "z-last");
    await startReady();
    const watched = () => api.seen.filter(({ query }) => query.get("watch") === "true" && query.has("fieldSelector"));
    await until(() => watched().length >= MOST_NAMED, "the watches");
    assert.equal((await live()).slo, undefined);
    await until(() => notes("z-last").length === 1, "an Event");
    assert.match(notes("z-last")[0] ?? "", /ConfigMap shop\/any, which .* names, is not read: 200 others .*label/);
    assert.equal(watched().length, MOST_NAMED);
    api.remove(SCALED_OBJECTS, "shop", nameOf(0));
    await untilLatency(500);
  });

  it("are those of the label too, where both are followed, and described once", async () => {
    putConfigMap({ "pipeline.yaml": fileOf(500) }, "any", { [PIPELINE_LABEL]: "" });
    putScaledObject("any");
    await startReady({ configMaps: true });
    assert.equal((await live()).slo.latencyMs, 500);
    assert.equal(await refused(), "0");
    putScaledObject("any", "detect-2");
    putConfigMap({ "pipeline.yaml": fileOf(550) }, "any", { [PIPELINE_LABEL]: "" });
    await untilLatency(550);
    const again = await metric(/^variscale_pipeline_changes_total\{from="configmap",outcome="unchanged"\} (\d+)$/m);
    assert.equal(again, undefined);
    // Without its label it is still named.
    putConfigMap({ "pipeline.yaml": fileOf(600) });
    await untilLatency(600);
    assert.equal(await refused(), "0");
  });

  it("do not keep the scaler from being ready where KEDA is not installed", async () => {
    api.collections.delete(SCALED_OBJECTS);
    putConfigMap({ "pipeline.yaml": fileOf(500) }, "any", { [PIPELINE_LABEL]: "" });
    await startReady({ configMaps: true });
    assert.equal((await live()).slo.latencyMs, 500);
    assert.equal(await metric(/^variscale_pipelines_watched\{from="scaledobject"\} (\d)$/m), "0");
  });
});
