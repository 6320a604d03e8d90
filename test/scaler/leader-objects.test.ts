import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { KubernetesObject } from "../support/kubernetes-api.ts";
import { TestFolder } from "../support/switcher-harness.ts";
import type { RunningScaler } from "./support/running-scaler.ts";
import { CONFIG_MAPS, KEPT_MS, leads, passUntil, SeveralScalers } from "./support/several-scalers.ts";
import { testPipeline, testPipelineText } from "./support/test-pipeline.ts";

describe("what several scalers write into the cluster", () => {
  let scalers: SeveralScalers;
  beforeEach(async () => {
    scalers = await SeveralScalers.open();
  });
  afterEach(() => scalers.close());

  it("tell a ScaledObject once that its pipeline is refused, by the leader", async () => {
    const SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/scaledobjects";
    const EVENTS = "/apis/events.k8s.io/v1/events";
    const told = () =>
      scalers.api.seen
        .filter(({ method, path }) => method === "POST" && path.endsWith("/events"))
        .map(({ body }) => body as KubernetesObject);
    for (const collection of [SCALED_OBJECTS, EVENTS, "/apis/autoscaling/v2/horizontalpodautoscalers"])
      scalers.api.collections.add(collection);
    const trigger = { type: "external", metadata: { scalerAddress: "s:6000", pipeline: "cards", stage: "detect" } };
    scalers.api.put(SCALED_OBJECTS, {
      metadata: { namespace: "shop", name: "detect", uid: "u-1" },
      spec: { scaleTargetRef: { name: "detect", kind: "Rollout" }, triggers: [trigger] },
    });
    const folder = new TestFolder();
    const path = join(folder.path, "pipeline.yaml");
    writeFileSync(path, testPipelineText({ stages: ["detect"] }));
    const begin = (instance: string): Promise<RunningScaler> =>
      scalers.start(instance, {
        ...{ pipelines: [], pipelineFiles: [{ path }] },
        kubernetes: { config: scalers.api.config(), hpaTolerance: 0, instance },
      });
    const isRefused = async (running: RunningScaler): Promise<boolean> =>
      (await (await fetch(running.url("/metrics"))).text()).includes('pipelines_refused{from="file"} 1');
    try {
      const first = await begin("first");
      await passUntil([first], () => leads(first), "the first leads");
      const second = await begin("second");
      writeFileSync(path, "nonsense: [");
      for (const one of [first, second]) await passUntil([first, second], () => isRefused(one), "it is refused");
      await passUntil([first, second], () => told().length > 0, "the Event");
      const laterMs = first.clock.nowMs() + 5000;
      await passUntil([first, second], () => first.clock.nowMs() >= laterMs, "some seconds");
      assert.deepEqual(
        told().map(event => event["reportingInstance"]),
        ["first"],
      );
      assert.match(String(told()[0]?.["note"]), /the last good one of pipeline cards stays: /);
      // The next leader counts it up.
      await passUntil([second], () => leads(second), "the second leads");
      await passUntil([second], () => told().length > 1, "it is told again");
      assert.equal(scalers.api.all(EVENTS).length, 1);
      assert.equal((scalers.api.all(EVENTS)[0]?.["series"] as { count: number } | undefined)?.count, 2);
    } finally {
      await scalers.closeAll();
      folder.delete();
    }
  });

  it("delete what is shared of a pipeline that is gone, and only the leader does", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    const scans = testPipeline({ name: "scans", stages: ["detect"] });
    const named = () =>
      scalers.api.all(CONFIG_MAPS).map(({ metadata }) => Object(metadata["annotations"])["variscale.dev/pipeline"]);
    for (const one of [first, second]) await one.scaler.pipelines.put(scans);
    await passUntil([first, second], () => named().includes("shop/scans"), "the board of the other pipeline");
    for (const one of [first, second]) await one.scaler.pipelines.remove(scans.key);
    const goneAtMs = first.clock.nowMs();
    await passUntil([first, second], () => !named().includes("shop/scans"), "it is deleted");
    assert.ok(first.clock.nowMs() - goneAtMs >= KEPT_MS);
    assert.deepEqual(named(), ["shop/cards"]);
    assert.equal(scalers.api.seen.filter(({ method }) => method === "DELETE").length, 1);
  });

  it("keep what is shared of a pipeline whose description is wrong since before they started, until that goes", async () => {
    const named = () =>
      scalers.api
        .all(CONFIG_MAPS)
        .flatMap(({ metadata }) => Object(metadata["annotations"])["variscale.dev/pipeline"] ?? [])
        .sort();
    const describe = (text: string) => {
      const metadata = { namespace: "shop", name: "scans", labels: { "variscale.dev/pipeline": "" } };
      scalers.api.put(CONFIG_MAPS, { metadata, data: { "pipeline.yaml": text } });
    };
    const from = { objects: false, configMaps: true, scaledObjects: false };
    const watchedPipelines = { config: scalers.api.config(), namespaces: ["shop"], ...from };
    describe(testPipelineText({ name: "scans", stages: ["detect"] }));
    const first = await scalers.start("first", { watchedPipelines });
    await passUntil([first], () => named().length === 2, "both boards");
    await first.close();
    scalers.forget(first);
    describe("nonsense: [");
    const second = await scalers.start("second", { watchedPipelines });
    await passUntil([second], () => leads(second), "the second leads");
    const afterMs = second.clock.nowMs() + 3 * KEPT_MS;
    await passUntil([second], () => second.clock.nowMs() > afterMs, "a while", 200);
    assert.deepEqual(named(), ["shop/cards", "shop/scans"]);
    scalers.api.remove(CONFIG_MAPS, "shop", "scans");
    await passUntil([second], () => named().length === 1, "it is deleted");
    assert.deepEqual(named(), ["shop/cards"]);
  });
});
