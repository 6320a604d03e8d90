import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { findingOf, findingsIn } from "./support/findings.ts";
import { theCluster } from "./support/hooks.ts";
import type { Json } from "./support/kubernetes-api.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const VIEW = { namespace: "view", name: "cards", stages: ["detect", "read"] } as const;

describe("what the scaler sees and tells of a cluster", () => {
  let scaler: ScalerProcess;

  before(async () => {
    scaler = await ScalerProcess.start(theCluster(), [VIEW], { kubernetes: true });
  });

  after(() => scaler.close());

  function target(stage: string, more: object = {}): Promise<Target> {
    const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage };
    return Target.create(theCluster(), { namespace: "view", name: stage, metadata, ...more });
  }

  async function event(reason: string): Promise<Json> {
    let found: Json;
    await until(async () => {
      found = (await theCluster().api.list("Event", "view")).find(one => one.reason === reason);
      return found !== undefined;
    }, `an Event ${reason}`);
    return found;
  }

  it("T1: an HPA with a tolerance gets counts that it reaches, its ScaledObject an Event, and doctor says so", async () => {
    const read = await target("read", { tolerance: null });
    try {
      await scaler.pin(VIEW, "read", 20);
      await read.expectReplicas(20, 2, Date.now());
      await event("VariscaleTolerance");
      await scaler.untilSeen(VIEW, "read", 20);
      await scaler.change(VIEW, "read", 21);
      const upMs = await scaler.untilTold(VIEW, "read", 23);
      await read.expectReplicas(23, 2, upMs);
      await scaler.untilSeen(VIEW, "read", 23);
      await scaler.change(VIEW, "read", 22);
      await read.expectHeld(23, 2);
      await scaler.change(VIEW, "read", 18);
      const downMs = await scaler.untilTold(VIEW, "read", 18);
      await read.expectReplicas(18, 2, downMs);
      const findings = await findingsIn("view");
      for (const check of ["api-server", "keda", "external-metrics", "scaler"])
        assert.equal(findingOf(findings, check).kind, "ok", check);
      assert.equal(findingOf(findings, "tolerance").kind, "warn");
    } finally {
      await read.remove();
    }
  });

  for (const [what, metadata, reason, note] of [
    ["a stage that is not there", { stage: "blur" }, "VariscaleUnknownStage", /no stage `blur`/],
    ["a key that does nothing", { stage: "detect", caCert: "x" }, "VariscaleInvalidTriggerMetadata", /`caCert` does/],
  ] as const)
    it(`${what} gives an Event that the ScaledObject's owner finds`, async () => {
      const name = reason.toLowerCase();
      const all = { scalerAddress: scaler.address, pipeline: "cards", ...metadata };
      const wrong = await Target.create(theCluster(), { namespace: "view", name, metadata: all }, { hpa: false });
      try {
        const found = await event(reason);
        assert.match(found.note, note);
        assert.equal(found.regarding.uid, (await wrong.scaledObject()).metadata.uid);
        assert.equal(found.regarding.name, name);
      } finally {
        await wrong.remove();
      }
    });
});
