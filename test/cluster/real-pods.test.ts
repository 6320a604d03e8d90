import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { startClusterPrometheus } from "./support/cluster-prometheus.ts";
import { theCluster } from "./support/hooks.ts";
import type { Client } from "./support/load/client.ts";
import { since, type Tally } from "./support/load/tally.ts";
import { type RealNode, startRealNode } from "./support/node/real-node.ts";
import type { Program } from "./support/program.ts";
import { FAULTS, untilFewer, untilMore } from "./support/real-faults.ts";
import { RealRelease } from "./support/real-release.ts";
import { until } from "./support/until.ts";

/** A replica of the heaviest detector may be given 1.5 requests a second, and there are three at most. */
const LOW_RPS = 0.5;
const HIGH_RPS = 6;
/** Of a high load: the forecast remembers it for a while. */
const FORGOTTEN_MS = 400_000;

describe("pods that run, installed by the chart, under load through the gateway", () => {
  let node: RealNode;
  let release: RealRelease;
  let client: Client;
  let prometheus: Program;

  before(async () => {
    node = await startRealNode(theCluster());
    release = await RealRelease.install(theCluster(), node, "real");
    prometheus = await startClusterPrometheus(theCluster(), [RealRelease.gatewayAt("real")]);
    client = await release.client();
    await client.rate(LOW_RPS);
  });

  after(async () => {
    client?.close();
    await release?.uninstall();
    await prometheus?.stop();
    await node?.close();
  });

  it("serves a low load, with all replicas that are planned", async () => {
    await untilServed(client, "detection=");
    const areReady = async () => (await release.ready("detection")) === (await release.target("detection").replicas());
    await until(areReady, "all replicas are ready");
  });

  it("answers the pod of `helm test` as it answers KEDA", async () => {
    const said = await release.test();
    for (const stage of ["detection", "recognition"])
      assert.match(said, new RegExp(`^id-card/${stage}: variscale-id-card-${stage}, [1-3] replicas$`, "m"));
  });

  it("steps up: answers by a lighter variant at once, and more replicas by the HPA", async () => {
    const before = await client.tally();
    await client.rate(HIGH_RPS);
    await untilServed(client, "detection=v4-256");
    await until(async () => (await release.target("detection").replicas()) > 1, "more replicas");
    const areReady = async () => (await release.ready("detection")) === (await release.target("detection").replicas());
    await until(areReady, "all replicas are ready");
    report("step up", since(before, await client.tally()));
  });

  for (const { name, happen } of FAULTS)
    it(`loses none by ${name}`, async () => {
      const before = await client.tally();
      await happen({ cluster: theCluster(), release, client, prometheus });
      await untilMore(client);
      const tally = since(before, await client.tally());
      report(name, tally);
      assert.equal(tally.lost + tally.failed, 0, tally.complaints.join("\n"));
    });

  it("steps down to fewer replicas, as the Prometheus that is back says", async () => {
    const before = await client.tally();
    await client.rate(LOW_RPS);
    await untilFewer(release, FORGOTTEN_MS);
    report("step down", since(before, await client.tally()));
  });

  it("has lost none", async () => {
    const tally = await client.end();
    report("all", tally);
    assert.equal(tally.lost + tally.failed, 0, tally.complaints.join("\n"));
  });
});

/** Waits for an answer that names these variants. */
async function untilServed(client: Client, variants: string): Promise<void> {
  const before = await client.tally();
  const isServed = async () =>
    Object.keys(since(before, await client.tally()).byVariants).some(name => name.includes(variants));
  await until(isServed, `an answer with ${variants}`, FORGOTTEN_MS).catch(async error =>
    assert.fail(`${error}: ${JSON.stringify(since(before, await client.tally()))}`),
  );
}

function report(what: string, { offered, served, dropped, lost, failed, byVariants }: Tally): void {
  process.stdout.write(`      ${what}: ${JSON.stringify({ offered, served, dropped, lost, failed, byVariants })}\n`);
}
