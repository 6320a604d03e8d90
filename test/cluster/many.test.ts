import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { theCluster } from "./support/hooks.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";

const STAGES = ["detect", "read"] as const;
const PIPELINES = Array.from({ length: 150 }, (_, i) => ({ namespace: "many", name: `cards-${i}`, stages: STAGES }));
/** Pipelines whose ScaledObjects are made together: one after the other, all wait for the API server. */
const AT_ONCE = 5;
/** Of these the counts are followed; one pod each of the others is enough for this machine. */
const WATCHED = [PIPELINES[0]!, PIPELINES[74]!, PIPELINES[149]!];

describe("hundreds of ScaledObjects", () => {
  let scaler: ScalerProcess;
  const targets = new Map<string, Target>();

  before(async () => {
    const cluster = theCluster();
    scaler = await ScalerProcess.start(cluster, PIPELINES);
    await cluster.api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "many" } });
    const create = async (pipeline: string, stage: string): Promise<void> => {
      const metadata = { scalerAddress: scaler.address, pipeline, stage };
      const name = `${pipeline}-${stage}`;
      targets.set(name, await Target.create(cluster, { namespace: "many", name, metadata }, { hpa: false }));
    };
    for (let first = 0; first < PIPELINES.length; first += AT_ONCE) {
      const some = PIPELINES.slice(first, first + AT_ONCE);
      await Promise.all(some.flatMap(({ name }) => STAGES.map(stage => create(name, stage))));
    }
  });

  after(async () => {
    await Target.removeAll(theCluster(), "many");
    await scaler.close();
  });

  it("are all synced, each with its own metric", async () => {
    const sinceMs = Date.now();
    for (const target of targets.values()) await target.untilSyncs(1, sinceMs);
    const { OK = 0, ...failed } = await scaler.calls("GetMetrics");
    assert.ok(OK >= targets.size);
    assert.deepEqual(failed, {});
  });

  it("follow their own counts within two syncs", async () => {
    for (const [i, count] of [4, 5].entries()) {
      for (const pipeline of WATCHED) {
        const sinceMs = await scaler.pin(pipeline, "read", count + i);
        await targets.get(`${pipeline.name}-read`)!.expectReplicas(count + i, 2, sinceMs);
      }
    }
    assert.equal(await targets.get("cards-1-read")!.replicas(), 1);
  });
});
