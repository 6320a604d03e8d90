import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { theCluster } from "./support/hooks.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";

const CARDS = { namespace: "stages", name: "cards", stages: ["detect", "read"] } as const;
/** Of the same name, in another namespace. */
const OTHER = { namespace: "stages-other", name: "cards", stages: ["read"] } as const;

describe("several ScaledObjects of one scaler", () => {
  let scaler: ScalerProcess;
  let detect: Target;
  let read: Target;
  let other: Target;

  before(async () => {
    const cluster = theCluster();
    scaler = await ScalerProcess.start(cluster, [CARDS, OTHER]);
    const create = (namespace: string, stage: string) => {
      const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage };
      return Target.create(cluster, { namespace, name: stage, metadata });
    };
    detect = await create("stages", "detect");
    read = await create("stages", "read");
    other = await create("stages-other", "read");
  });

  after(async () => {
    for (const target of [detect, read, other]) await target.remove();
    await scaler.close();
  });

  it("scales the stages of one pipeline each to its own count, within two syncs", async () => {
    for (const [detectCount, readCount] of [
      [4, 13],
      [14, 12],
      [2, 2],
    ] as const) {
      const detectMs = await scaler.pin(CARDS, "detect", detectCount);
      const readMs = await scaler.pin(CARDS, "read", readCount);
      await Promise.all([detect.expectReplicas(detectCount, 2, detectMs), read.expectReplicas(readCount, 2, readMs)]);
    }
  });

  it("keeps a pipeline of the same name in another namespace apart", async () => {
    const sinceMs = await scaler.pin(OTHER, "read", 9);
    await other.expectReplicas(9, 2, sinceMs);
    await read.expectHeld(2, 2);
  });

  it("T12: keeps the names that the HPAs hold, also when the scaler is another process", async () => {
    const namesOf = async (target: Target) => {
      const hpa = await target.hpa();
      return hpa.spec.metrics.map((metric: { external: { metric: { name: string } } }) => metric.external.metric.name);
    };
    const names = [await namesOf(detect), await namesOf(read)];
    assert.deepEqual(names, [["s0-variscale-cards-detect"], ["s0-variscale-cards-read"]]);
    await scaler.program.stop();
    scaler.program.start();
    await scaler.untilPlanned();
    const sinceMs = await scaler.pin(CARDS, "detect", 6);
    await detect.expectReplicas(6, 2, sinceMs);
    assert.deepEqual([await namesOf(detect), await namesOf(read)], names);
  });
});
