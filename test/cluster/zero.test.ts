import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { theCluster } from "./support/hooks.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const NIGHT = { namespace: "zero", name: "cards", stages: ["detect"], replicas: { min: 0, max: 50 } } as const;
/** KEDA looks at what is inactive this often, and takes the last replica after the cooldown. */
const PACE = { pollingInterval: 1, cooldownPeriod: 5 };
/** A pipeline is idle after five minutes without arrivals. */
const IDLE_WITHIN_MS = 400_000;

let scaler: ScalerProcess;

// Before the tests of all files: it gets idle while they run.
before(async () => {
  scaler = await ScalerProcess.start(theCluster(), [NIGHT], { rateRps: 0 });
});
// Not in the block below, which a filter may skip: the process would keep the run from ending.
after(() => scaler.close());

describe("scaling to zero and from zero", () => {
  let detect: Target;

  before(async () => {
    await scaler.pin(NIGHT, "detect", 3);
    const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage: "detect" };
    detect = await Target.create(theCluster(), { namespace: "zero", name: "detect", metadata, min: 0, spec: PACE });
    await until(async () => (await detect.replicas()) === 3, "three replicas");
  });

  after(() => detect.remove());

  it("goes to zero when the pipeline is idle, after KEDA's cooldown", async () => {
    await scaler.unpin(NIGHT);
    await scaler.untilTold(NIGHT, "detect", 0, IDLE_WITHIN_MS);
    await until(async () => (await detect.replicas()) === 0, "no replicas");
    await detect.untilReady(0);
  }).timeout(2 * IDLE_WITHIN_MS);

  it("stays at zero while KEDA polls", async () => {
    const before = (await scaler.calls("IsActive"))["OK"] ?? 0;
    await until(async () => ((await scaler.calls("IsActive"))["OK"] ?? 0) >= before + 5, "five more polls by KEDA");
    assert.equal(await detect.replicas(), 0);
  });

  it("T17: comes from zero by a push, and to all replicas within two syncs of the HPA", async () => {
    const sinceMs = await scaler.pin(NIGHT, "detect", 7);
    await until(async () => (await detect.replicas()) > 0, "the first replica");
    await detect.expectReplicas(7, 2, sinceMs);
    await detect.untilReady(7);
  });

  it("goes through zero again and again", async () => {
    for (const count of [4, 2]) {
      await scaler.unpin(NIGHT);
      await until(async () => (await detect.replicas()) === 0, "no replicas");
      const sinceMs = await scaler.pin(NIGHT, "detect", count);
      await detect.expectReplicas(count, 2, sinceMs);
    }
  });

  it("comes from zero when its ScaledObject is made while it is active", async () => {
    await scaler.unpin(NIGHT);
    await until(async () => (await detect.replicas()) === 0, "no replicas");
    await detect.remove();
    await scaler.pin(NIGHT, "detect", 5);
    const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage: "detect" };
    const options = { namespace: "zero", name: "again", metadata, min: 0, replicas: 0, spec: PACE };
    const again = await Target.create(theCluster(), options);
    try {
      await until(async () => (await again.replicas()) > 0, "the first replica");
      await again.expectReplicas(5, 2, Date.now());
    } finally {
      await again.remove();
    }
  });
});
