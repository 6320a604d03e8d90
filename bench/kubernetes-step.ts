import type { Cluster } from "../test/cluster/support/cluster.ts";
import type { Client } from "../test/cluster/support/load/client.ts";
import { since, type Tally } from "../test/cluster/support/load/tally.ts";
import { type RealNode, startRealNode } from "../test/cluster/support/node/real-node.ts";
import type { RunningPod } from "../test/cluster/support/node/running-pod.ts";
import { FAULTS, untilMore } from "../test/cluster/support/real-faults.ts";
import { RealRelease } from "../test/cluster/support/real-release.ts";
import { until } from "../test/cluster/support/until.ts";
import { measureFailover } from "./kubernetes-failover.ts";
import type { KubernetesResults, StepResult } from "./kubernetes-results.ts";

/** What one pod with the heaviest detector serves easily, and what is more than it can serve at all: 15 a second. */
const LOW_RPS = 0.5;
const HIGH_RPS = 25;
/** For the faults: what leaves the machine's cores room for pods that start. */
const FAULT_RPS = 6;
const HEAVIEST = "v4-640";
/** So that every pod's history is that of the low load. */
const SETTLE_REQUESTS = 15;

/** The chart's release in pods that run: a step of the load, then every fault under load. */
export async function measureReal(
  cluster: Cluster,
  parts: readonly string[],
): Promise<Omit<KubernetesResults, "many">> {
  const node: RealNode = await startRealNode(cluster);
  try {
    const release = await RealRelease.install(cluster, node, "bench");
    const client = await release.client();
    try {
      await client.rate(LOW_RPS);
      await until(async () => (await release.variants("detection")).every(name => name === HEAVIEST), "the heaviest");
      await untilMore(client, SETTLE_REQUESTS);
      const step = parts.includes("step") ? await measureStep(release, client) : undefined;
      await client.rate(FAULT_RPS);
      const failover = parts.includes("failover") ? await measureFailover(cluster, release) : undefined;
      const faults = parts.includes("faults") ? await measureFaults(cluster, release, client) : undefined;
      return { ...(step && { step }), ...(failover && { failover }), ...(faults && { faults }) };
    } finally {
      client.close();
      await release.uninstall();
    }
  } finally {
    await node.close();
  }
}

async function measureStep(release: RealRelease, client: Client): Promise<StepResult> {
  const target = release.target("detection");
  const ready = release.pods("detection").filter(({ isEnding }) => !isEnding);
  const before = await client.tally();
  const served = new Map<RunningPod, number>();
  for (const pod of ready) served.set(pod, await lighterBatches(pod));
  const replicas = await target.replicas();
  let toldMs: number | null = null;
  const told = until(async () => {
    const stages: readonly { stage: string; replicasNow: number }[] = (await release.page()).board?.stages ?? [];
    const now = stages.find(({ stage }) => stage === "detection")?.replicasNow ?? 0;
    if (now > replicas) toldMs ??= Date.now();
    return toldMs !== null;
  }, "KEDA is told more replicas");
  const startMs = performance.now();
  await client.rate(HIGH_RPS);
  for (const pod of ready)
    await until(async () => (await lighterBatches(pod)) > (served.get(pod) ?? 0), "a lighter variant has answered");
  const toLighterVariantMs = Math.round(performance.now() - startMs);
  await told;
  await until(async () => (await target.replicas()) > replicas, "the replicas follow");
  const syncsToReplicas = target.syncs(toldMs ?? 0);
  return { toLighterVariantMs, syncsToReplicas, tally: since(before, await client.tally()) };
}

/** Batches that a pod's switcher ran with other variants than the heaviest. */
async function lighterBatches(pod: RunningPod): Promise<number> {
  const text = await (await fetch(`http://${pod.address}:8003/metrics`)).text();
  const counts = [...text.matchAll(/^variscale_switcher_batch_rows_count\{variant="([^"]+)"\} (\d+)/gm)];
  return counts.filter(([, variant]) => variant !== HEAVIEST).reduce((sum, [, , count]) => sum + Number(count), 0);
}

async function measureFaults(cluster: Cluster, release: RealRelease, client: Client): Promise<Record<string, Tally>> {
  await untilMore(client);
  const tallies: Record<string, Tally> = {};
  let before = await client.tally();
  for (const { name, happen } of FAULTS) {
    await happen({ cluster, release, client });
    await untilMore(client);
    const now = await client.tally();
    tallies[name] = since(before, now);
    before = now;
  }
  await client.rate(LOW_RPS);
  await until(async () => (await release.target("detection").replicas()) === 1, "one replica");
  await until(() => release.pods("detection").length === 1, "the pods that were too many have ended");
  tallies["scale-down, and what was still open"] = since(before, await client.end());
  return tallies;
}
