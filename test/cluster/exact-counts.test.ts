import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { theCluster } from "./support/hooks.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const SHOP = { namespace: "exact", name: "cards", stages: ["detect", "read"] } as const;
const STEADY = { namespace: "exact", name: "steady", stages: ["detect"] } as const;
/** A step that the HPA's own tolerance of 10 % swallows is among them, up and down. */
const COUNTS = [20, 21, 22, 20, 5] as const;

describe("replica counts through KEDA and the HPA", () => {
  let scaler: ScalerProcess;
  let detect: Target;

  before(async () => {
    const cluster = theCluster();
    scaler = await ScalerProcess.start(cluster, [SHOP, STEADY]);
    await scaler.pin(SHOP, "detect", 1);
    const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage: "detect" };
    detect = await Target.create(cluster, { namespace: "exact", name: "detect", metadata });
  });

  after(async () => {
    await detect.remove();
    await scaler.close();
  });

  it("are exact within two syncs: 1 → 20 → 21 → 22 → 20 → 5", async () => {
    await detect.expectHeld(1, 1);
    for (const count of COUNTS) {
      const sinceMs = await scaler.pin(SHOP, "detect", count);
      await detect.expectReplicas(count, 2, sinceMs);
      await detect.untilReady(count);
    }
  });

  it("stay exact while nothing changes", async () => {
    await scaler.pin(SHOP, "detect", 5);
    await detect.expectHeld(5, 3);
    const hpa = await detect.hpa();
    assert.equal(hpa.status.desiredReplicas, 5);
    assert.equal(hpa.spec.behavior.scaleUp.tolerance, "0");
  });

  it("T1: stay where they are when the HPA has its own tolerance, and one more is wanted", async () => {
    const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage: "read" };
    const read = await Target.create(theCluster(), { namespace: "exact", name: "read", metadata, tolerance: null });
    try {
      const sinceMs = await scaler.pin(SHOP, "read", 20);
      await read.expectReplicas(20, 2, sinceMs);
      // The HPA compares with the pods that are there.
      await read.untilReady(20);
      await scaler.pin(SHOP, "read", 21);
      await read.expectHeld(20, 3);
      const jumpMs = await scaler.pin(SHOP, "read", 23);
      await read.expectReplicas(23, 2, jumpMs);
    } finally {
      await read.remove();
    }
  });

  it("T2: stay exact while a rollout adds pods that do not get ready", async () => {
    const { api } = theCluster();
    const sinceMs = await scaler.pin(SHOP, "detect", 20);
    await detect.expectReplicas(20, 2, sinceMs);
    await detect.untilReady(20);
    const template = { spec: { nodeSelector: { "kubernetes.io/hostname": "none" } } };
    await api.merge("Deployment", "exact", "detect", { spec: { template } });
    const total = async () => (await api.get("Deployment", "exact", "detect")).status.replicas;
    await until(async () => (await total()) === 25, "the rollout's surge of a quarter");
    await detect.expectHeld(20, 3);
    assert.equal(await total(), 25);
    await api.merge("Deployment", "exact", "detect", { spec: { template: { spec: { nodeSelector: null } } } });
    await detect.untilReady(20);
  });

  it("T23: stay exact when a manifest without `spec.replicas` is applied again", async () => {
    await detect.applyDeployment();
    await detect.expectHeld(20, 2);
  });

  it("T24: are reached for a ScaledObject whose HPA has a name of 63 characters", async () => {
    const name = "x".repeat(54);
    const metadata = { scalerAddress: scaler.address, pipeline: "steady", stage: "detect" };
    const long = await Target.create(theCluster(), { namespace: "exact", name, metadata });
    try {
      const sinceMs = await scaler.pin(STEADY, "detect", 3);
      await long.expectReplicas(3, 2, sinceMs);
    } finally {
      await long.remove();
    }
  });
});
