import type { Cluster } from "../test/cluster/support/cluster.ts";
import { startClusterPrometheus } from "../test/cluster/support/cluster-prometheus.ts";
import { since, type Tally } from "../test/cluster/support/load/tally.ts";
import { startRealNode } from "../test/cluster/support/node/real-node.ts";
import { FAULTS, type FaultPlace, untilFewer, untilMore } from "../test/cluster/support/real-faults.ts";
import { RealRelease } from "../test/cluster/support/real-release.ts";
import { measureFailover } from "./kubernetes-failover.ts";
import type { KubernetesMeasurements } from "./kubernetes-measurements.ts";
import { measurePlain } from "./kubernetes-plain.ts";
import { withRelease } from "./kubernetes-release.ts";
import { describePlace, findStepRps, LOW_RPS, measureStep, settle } from "./kubernetes-step.ts";

const NAMESPACE = "bench";
const PLAIN_NAMESPACE = "plain";
/** For the faults: what leaves the machine's cores room for pods that start. */
const FAULT_RPS = 6;

/** The forecast remembers a high load for a while. */
const FORGOTTEN_MS = 400_000;

/** The chart's release in pods that run: a step of the load, every fault under load, and plain KEDA after it. */
export async function measureReal(cluster: Cluster, measurements: KubernetesMeasurements): Promise<void> {
  const node = await startRealNode(cluster);
  try {
    const gateways = [NAMESPACE, PLAIN_NAMESPACE].map(RealRelease.gatewayAt);
    const prometheus = await startClusterPrometheus(cluster, gateways);
    try {
      const { place, rateRps } = await withRelease({ cluster, node, namespace: NAMESPACE }, async (release, client) => {
        await client.rate(LOW_RPS);
        await settle(release, client);
        const place = await describePlace(release);
        const rateRps = findStepRps(place);
        await measurements.measure("step", () => measureStep(release, client, rateRps));
        await client.rate(FAULT_RPS);
        await measurements.measure("failover", () => measureFailover(cluster, release));
        await measurements.measure("faults", () => measureFaults({ cluster, release, client, prometheus }));
        return { place, rateRps };
      });
      const seconds = measurements.results.step?.seconds;
      const plain = { cluster, node, namespace: PLAIN_NAMESPACE };
      await measurements.measure("plain", () => measurePlain(plain, place, rateRps, seconds));
    } finally {
      await prometheus.stop();
    }
  } finally {
    await node.close();
  }
}

/** How the requests end that are sent while each fault happens, and while replicas are taken away. */
async function measureFaults(place: FaultPlace): Promise<Readonly<Record<string, Tally>>> {
  const { release, client } = place;
  await untilMore(client);
  const tallies: Record<string, Tally> = {};
  let before = await client.tally();
  for (const { name, happen } of FAULTS) {
    await happen(place);
    await untilMore(client);
    const now = await client.tally();
    tallies[name] = since(before, now);
    before = now;
  }
  await client.rate(LOW_RPS);
  await untilFewer(release, FORGOTTEN_MS);
  tallies["scale-down, and what was still open"] = since(before, await client.end());
  return tallies;
}
