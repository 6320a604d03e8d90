import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { theCluster } from "./support/hooks.ts";
import type { Json } from "./support/kubernetes-api.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";

const STUCK = { namespace: "stuck", name: "cards", stages: ["detect", "read"] } as const;

describe("replicas that do not come", () => {
  let scaler: ScalerProcess;
  const targets: Target[] = [];

  before(async () => {
    scaler = await ScalerProcess.start(theCluster(), [STUCK], { kubernetes: true });
    for (const stage of STUCK.stages) {
      const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage };
      targets.push(await Target.create(theCluster(), { namespace: "stuck", name: stage, metadata }));
    }
  });

  after(async () => {
    for (const target of targets) await target.remove();
    await scaler.close();
  });

  it("are told with what the scheduler says, of the stage alone that waits for them", async () => {
    const { api } = theCluster();
    const [detect, read] = targets as [Target, Target];
    await detect.untilReady(1);
    await read.untilReady(1);
    const containers = [{ name: "switcher", image: "none", resources: { requests: { cpu: "10000" } } }];
    await api.merge("Deployment", "stuck", "detect", { spec: { template: { spec: { containers } } } });
    await scaler.pin(STUCK, "detect", 4);
    let told: Json;
    // Replicas may take three minutes.
    await scaler.program.until(
      async () => {
        const events = await api.list("Event", "stuck");
        told = events.find(({ reason }) => reason === "VariscaleStuck");
        return told !== undefined;
      },
      "an Event VariscaleStuck",
      400_000,
    );
    assert.match(told.note, /Unschedulable: .*Insufficient cpu/);
    assert.equal(told.regarding.name, "detect");
    const isSaid = ({ type, status, message }: Json) =>
      type === "ActuationStuck" && status && /detect.*Unschedulable: .*Insufficient cpu/.test(message);
    await scaler.program.until(
      async () => (await scaler.page(STUCK))?.board.conditions.some(isSaid),
      "condition ActuationStuck with what the scheduler says",
    );
    const events = await api.list("Event", "stuck");
    assert.deepEqual(
      events.filter(({ reason }) => reason === "VariscaleStuck").map(({ regarding }) => regarding.name),
      ["detect"],
    );
  });
});
