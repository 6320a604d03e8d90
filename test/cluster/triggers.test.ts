import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { theCluster } from "./support/hooks.ts";
import type { Json } from "./support/kubernetes-api.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const SHOP = { namespace: "triggers", name: "cards", stages: ["detect", "read"] } as const;
const OTHER = { namespace: "triggers", name: "other", stages: ["detect"] } as const;

describe("triggers and their metadata", () => {
  let scaler: ScalerProcess;
  let other: ScalerProcess;
  const targets: Target[] = [];

  const metadata = (stage: string) => ({ scalerAddress: scaler.address, pipeline: "cards", stage });
  const trigger = (of: Readonly<Record<string, string>>) => ({
    type: "external-push",
    metricType: "AverageValue",
    metadata: of,
  });
  const create = async (name: string, options: Partial<Parameters<typeof Target.create>[1]>, hpa = true) => {
    const all = { namespace: "triggers", name, metadata: metadata("detect"), ...options };
    const target = await Target.create(theCluster(), all, { hpa });
    targets.push(target);
    return target;
  };
  const metricsOf = async (target: Target): Promise<string[]> =>
    ((await target.hpa())?.spec.metrics ?? []).map((metric: Json) => metric.external.metric.name);

  before(async () => {
    scaler = await ScalerProcess.start(theCluster(), [SHOP]);
    other = await ScalerProcess.start(theCluster(), [OTHER]);
  });

  after(async () => {
    for (const target of targets) await target.remove();
    await scaler.close();
    await other.close();
  });

  it("says in KEDA's log which stage is unknown and which there are", async () => {
    const written = theCluster().kedaOperator.log().length;
    const wrong = await create("wrong", { metadata: metadata("detekt") }, false);
    const told = "has no stage `detekt`; it has: detect, read";
    await until(() => theCluster().kedaOperator.log().slice(written).includes(told), "the reason in KEDA's log");
    const condition = () => conditionOf(wrong, "Ready");
    await until(async () => (await condition())?.status === "False", "the ScaledObject is not ready");
    assert.equal(await wrong.hpa(), null);
    await theCluster().api.apply(fixed(await wrong.scaledObject(), trigger(metadata("detect"))));
    await until(async () => (await wrong.hpa()) !== null, "an HPA, once the stage is right");
  });

  it("T3: takes the higher count where there are two triggers", async () => {
    const both = await create("both", { triggers: [trigger(metadata("read"))] });
    await scaler.pin(SHOP, "detect", 3);
    const sinceMs = await scaler.pin(SHOP, "read", 6);
    await both.expectReplicas(6, 2, sinceMs);
    const laterMs = await scaler.pin(SHOP, "detect", 8);
    await both.expectReplicas(8, 2, laterMs);
  });

  it("T4: has its metric in the HPA again when it comes back after KEDA dropped it", async () => {
    const of = { scalerAddress: other.address, pipeline: "other", stage: "detect" };
    const two = await create("two", { triggers: [trigger(of)] });
    const names = ["s0-variscale-cards-detect", "s1-variscale-other-detect"];
    assert.deepEqual(await metricsOf(two), names);
    await other.program.stop("SIGKILL");
    await two.change({ maxReplicaCount: 49 });
    await until(async () => (await metricsOf(two)).length === 1, "KEDA drops the metric of the scaler that is down");
    other.program.start();
    await other.untilPlanned();
    await until(async () => (await metricsOf(two)).length === 2, "the metric is there again");
    assert.deepEqual(await metricsOf(two), names);
  });

  it("T6: is scaled neither down nor up while another trigger's scaler can't be reached, and is after", async () => {
    await scaler.pin(SHOP, "detect", 4);
    const sinceMs = await scaler.pin(SHOP, "read", 4);
    const of = { scalerAddress: other.address, pipeline: "other", stage: "detect" };
    await other.pin(OTHER, "detect", 1);
    const poisoned = await create("poisoned", { triggers: [trigger(of)] });
    await poisoned.expectReplicas(4, 2, sinceMs);
    await other.program.stop("SIGKILL");
    await scaler.pin(SHOP, "detect", 2);
    await poisoned.expectHeld(4, 3);
    await scaler.pin(SHOP, "detect", 6);
    await poisoned.expectHeld(4, 3);
    await scaler.pin(SHOP, "detect", 2);
    other.program.start();
    await other.untilPlanned();
    await until(async () => (await poisoned.replicas()) === 2, "two replicas");
  });

  it("T20: is refused where TLS keys are in the trigger's metadata, with the reason", async () => {
    const plain = await create("plain", { metadata: { ...metadata("detect"), caCert: "not read" } }, false);
    await until(() => /`caCert` does nothing here/.test(scaler.program.log()), "the reason in the scaler's log");
    await until(async () => (await conditionOf(plain, "Ready"))?.status === "False", "the ScaledObject is not ready");
    assert.equal(await plain.hpa(), null);
  });

  it("T28: has no metric spec stream that KEDA has given up", () => {
    assert.doesNotMatch(theCluster().kedaOperator.log(), /StreamMetricSpec not implemented/);
  });
});

async function conditionOf(target: Target, type: string): Promise<Json | undefined> {
  const { status } = await target.scaledObject();
  return status?.conditions?.find((condition: Json) => condition.type === type);
}

/** The ScaledObject with another trigger, as someone would apply it. */
function fixed(scaledObject: Json, trigger: Json): Json {
  const { apiVersion, kind, metadata, spec } = scaledObject;
  const { name, namespace } = metadata;
  return { apiVersion, kind, metadata: { name, namespace }, spec: { ...spec, triggers: [trigger] } };
}
