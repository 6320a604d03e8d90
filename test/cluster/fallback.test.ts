import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { findingOf, findingsIn } from "./support/findings.ts";
import { theCluster } from "./support/hooks.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const NEW = { namespace: "fallback", name: "cards", stages: ["detect"] } as const;
const FALLBACK = { fallback: { failureThreshold: 1, replicas: 4, behavior: "currentReplicasIfHigher" } };

describe("KEDA's fallback", () => {
  let scaler: ScalerProcess;
  let detect: Target;

  before(async () => {
    const cluster = theCluster();
    scaler = await ScalerProcess.start(cluster, [NEW], { rateRps: null });
    const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage: "detect" };
    detect = await Target.create(cluster, { namespace: "fallback", name: "detect", metadata, spec: FALLBACK });
  });

  after(async () => {
    await detect.remove();
    await scaler.close();
  });

  it("is taken while the scaler has no decision yet", async () => {
    await until(async () => (await detect.replicas()) === 4, "the replicas of the fallback");
  });

  it("is left for the first decision", async () => {
    scaler.load(1);
    await scaler.untilPlanned();
    const sinceMs = await scaler.pin(NEW, "detect", 2);
    await detect.expectReplicas(2, 2, sinceMs);
  });

  it("T5: is not taken while the scaler can't be reached: replicas are held", async () => {
    await scaler.program.stop("SIGKILL");
    await detect.expectHeld(2, 4);
    scaler.program.start();
    await scaler.untilPlanned();
    const sinceMs = await scaler.pin(NEW, "detect", 3);
    await detect.expectReplicas(3, 2, sinceMs);
  });
});

describe("KEDA's fallback to zero replicas", () => {
  it("T21: takes an erring stage to zero, where the other behaviour keeps it; doctor says so", async () => {
    const erring = { namespace: "fallback", name: "erring", stages: ["detect"] } as const;
    const scaler = await ScalerProcess.start(theCluster(), [erring], { rateRps: null });
    const metadata = { scalerAddress: scaler.address, pipeline: "erring", stage: "detect" };
    const create = (name: string, fallback: object) => {
      const spec = { pollingInterval: 2, cooldownPeriod: 2, fallback };
      return Target.create(theCluster(), { namespace: "fallback", name, metadata, min: 0, replicas: 4, spec });
    };
    const kept = await create("kept", { failureThreshold: 1, replicas: 1, behavior: "currentReplicasIfHigher" });
    // Once the fallback is taken KEDA counts the trigger as active; the HPA's queries, which count as failures too, must not get there first.
    const lost = await create("lost", { failureThreshold: 1000, replicas: 0 });
    try {
      await until(async () => (await lost.replicas()) === 0, "the erring stage is at zero");
      assert.equal(await kept.replicas(), 4);
      await kept.expectHeld(4, 2);
      const findings = await findingsIn("fallback");
      assert.equal(findingOf(findings, "fallback", "lost").kind, "fail");
      assert.equal(findingOf(findings, "fallback", "kept").kind, "ok");
    } finally {
      await kept.remove();
      await lost.remove();
      await scaler.close();
    }
  });
});
