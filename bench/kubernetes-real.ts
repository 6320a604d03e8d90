import type { Cluster } from "../test/cluster/support/cluster.ts";
import { startClusterPrometheus } from "../test/cluster/support/cluster-prometheus.ts";
import { startRealNode } from "../test/cluster/support/node/real-node.ts";
import { RealRelease } from "../test/cluster/support/real-release.ts";
import { measureFailover } from "./kubernetes-failover.ts";
import { measureFaults } from "./kubernetes-faults.ts";
import type { KubernetesMeasurements } from "./kubernetes-measurements.ts";
import { measurePlain } from "./kubernetes-plain.ts";
import { withRelease } from "./kubernetes-release.ts";
import { highRateOf, LOW_RPS, measureStep, settle } from "./kubernetes-step.ts";

const NAMESPACE = "bench";
const PLAIN_NAMESPACE = "plain";
/** For the faults: what leaves the machine's cores room for pods that start. */
const FAULT_RPS = 6;

/** The chart's release in pods that run: a step of the load, every fault under load, and plain KEDA after it. */
export async function measureReal(cluster: Cluster, measurements: KubernetesMeasurements): Promise<void> {
  const node = await startRealNode(cluster);
  try {
    const gateways = [NAMESPACE, PLAIN_NAMESPACE].map(RealRelease.gatewayAt);
    const prometheus = await startClusterPrometheus(cluster, gateways);
    try {
      const highRps = await withRelease({ cluster, node, namespace: NAMESPACE }, async (release, client) => {
        await client.rate(LOW_RPS);
        await settle(release, client);
        const rateRps = await highRateOf(release);
        await measurements.measure("step", () => measureStep(release, client, rateRps));
        await client.rate(FAULT_RPS);
        await measurements.measure("failover", () => measureFailover(cluster, release));
        await measurements.measure("faults", () => measureFaults({ cluster, release, client, prometheus }));
        return rateRps;
      });
      const seconds = measurements.results.step?.seconds;
      await measurements.measure("plain", () => measurePlain(cluster, node, PLAIN_NAMESPACE, highRps, seconds));
    } finally {
      await prometheus.stop();
    }
  } finally {
    await node.close();
  }
}
