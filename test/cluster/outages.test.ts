import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "mocha";
import { HPA_SYNC_SECONDS } from "./support/cluster.ts";
import { theCluster } from "./support/hooks.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const SHOP = { namespace: "outages", name: "cards", stages: ["detect"] } as const;
/** Syncs of the HPA that an outage lasts: a minute of them. */
const OUTAGE_SYNCS = 60 / HPA_SYNC_SECONDS;
const OTHER = { namespace: "outages", name: "other", stages: ["read"] } as const;

describe("outages", () => {
  let scaler: ScalerProcess;
  let detect: Target;

  before(async () => {
    const cluster = theCluster();
    scaler = await ScalerProcess.start(cluster, [SHOP]);
    const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage: "detect" };
    detect = await Target.create(cluster, { namespace: "outages", name: "detect", metadata });
  });

  beforeEach(async () => {
    const sinceMs = await scaler.pin(SHOP, "detect", 11);
    await detect.expectReplicas(11, 2, sinceMs);
  });

  after(async () => {
    await detect.remove();
    await scaler.close();
  });

  it("holds replicas while the scaler is dead, and follows within two syncs of its return", async () => {
    await scaler.program.stop("SIGKILL");
    await detect.expectHeld(11, OUTAGE_SYNCS);
    scaler.program.start();
    await scaler.untilServing();
    const sinceMs = Date.now();
    await scaler.change(SHOP, "detect", 12);
    await detect.expectReplicas(12, 2, sinceMs);
  });

  it("remembers pins over a crash: replicas stay as they were pinned", async () => {
    await scaler.program.stop("SIGKILL");
    scaler.program.start();
    await scaler.untilPlanned();
    await detect.expectHeld(11, 2);
  });

  it("T14: ends its streams with OK when it restarts, so that KEDA's back-off never grows", async () => {
    const { kedaOperator } = theCluster();
    for (let restart = 0; restart < 3; restart++) {
      await untilStreaming(scaler);
      const written = kedaOperator.log().length;
      assert.equal(await scaler.program.stop(), 0);
      const waits = () => streamLog(kedaOperator.log().slice(written));
      await until(() => waits().length > 0, "KEDA has noticed the end of the stream");
      const first = waits()[0];
      assert.match(first?.msg ?? "", /StreamIsActive retry backoff/, "the stream ended with OK");
      assert.equal(first?.duration, 2, "the first wait is the shortest");
      scaler.program.start();
      await scaler.untilPlanned();
    }
    const sinceMs = await scaler.pin(SHOP, "detect", 12);
    await detect.expectReplicas(12, 2, sinceMs);
  });

  it("T13: holds replicas while the scaler hangs, and follows after; stages of other scalers go on", async () => {
    const other = await ScalerProcess.start(theCluster(), [OTHER]);
    const metadata = { scalerAddress: other.address, pipeline: "other", stage: "read" };
    const read = await Target.create(theCluster(), { namespace: "outages", name: "read", metadata });
    try {
      process.kill(scaler.program.pid, "SIGSTOP");
      for (const replicas of [12, 3, 10]) {
        const sinceMs = await other.pin(OTHER, "read", replicas);
        await read.expectReplicas(replicas, 2, sinceMs);
        await read.untilSyncs(2, Date.now());
        assert.equal(await detect.replicas(), 11);
      }
      process.kill(scaler.program.pid, "SIGCONT");
      const sinceMs = await scaler.pin(SHOP, "detect", 15);
      await detect.expectReplicas(15, 2, sinceMs);
    } finally {
      process.kill(scaler.program.pid, "SIGCONT");
      await read.remove();
      await other.close();
    }
  });

  it("goes on when KEDA's operator is another process", async () => {
    const cluster = theCluster();
    await cluster.kedaOperator.stop("SIGKILL");
    await until(async () => (await scaler.streams()) === 0, "the streams are cut");
    cluster.kedaOperator.start();
    await untilStreaming(scaler);
    await untilAnswered(detect);
    assert.equal(await detect.replicas(), 11);
    const sinceMs = await scaler.pin(SHOP, "detect", 13);
    await detect.expectReplicas(13, 2, sinceMs);
  });

  it("goes on when the API server is another process", async () => {
    const cluster = theCluster();
    await cluster.apiServer.stop("SIGKILL");
    cluster.apiServer.start();
    await cluster.untilApiAnswers();
    await cluster.untilKedaAnswers();
    await untilAnswered(detect);
    const sinceMs = await scaler.pin(SHOP, "detect", 14);
    await detect.expectReplicas(14, 2, sinceMs);
  });
});

/** Waits for a sync of the HPA that KEDA answered: its adapter waits ever longer between its tries to reach the operator. */
async function untilAnswered({ namespace, name }: Target): Promise<void> {
  const sinceMs = Date.now();
  const answered = () => theCluster().audit.syncs(namespace, name, sinceMs).at(-1)?.status === 200;
  await until(answered, `an answered sync of ${namespace}/${name}`);
}

interface StreamLine {
  readonly msg: string;
  readonly duration?: number;
}

/** What KEDA's operator logged of activity streams to the scaler. */
function streamLog(log: string): readonly StreamLine[] {
  return log
    .split("\n")
    .filter(line => line.includes("StreamIsActive") && line.includes('"outages"'))
    .map(line => JSON.parse(line) as StreamLine);
}

/** Waits until KEDA has both of its streams for the one ScaledObject. */
async function untilStreaming(scaler: ScalerProcess): Promise<void> {
  await until(async () => (await scaler.streams()) === 2, "KEDA's streams are open");
}
