import type { Cluster } from "../test/cluster/support/cluster.ts";
import { PROMETHEUS_URL } from "../test/cluster/support/cluster-prometheus.ts";
import type { RealNode } from "../test/cluster/support/node/real-node.ts";
import type { Target } from "../test/cluster/support/target.ts";
import { until } from "../test/cluster/support/until.ts";
import { withRelease } from "./kubernetes-release.ts";
import type { LoadStep } from "./kubernetes-results.ts";
import { HEAVIEST, LOW_RPS, STAGE, settle, stepTo } from "./kubernetes-step.ts";

/** What is served at a low load, and nothing else. */
const FIXED = { [STAGE]: HEAVIEST, recognition: "v4" };
/** What a plan gives a replica of the heaviest detector at most in this rig: KEDA is told the same. */
const RPS_A_REPLICA = 1.5;
/** Seconds of arrivals that the trigger sees: few, so that it is soon. */
const RATE_SECONDS = 10;

/**
 * The same chart and step of the load under plain KEDA: stages have one variant each, and replicas are those of a `prometheus` trigger, with
 * the behaviour of the chart's ScaledObjects, which waits for nothing and tolerates nothing.
 *
 * @param rateRps of the step.
 * @param windowSeconds in which requests are counted, as many as in the other run.
 */
export function measurePlain(
  cluster: Cluster,
  node: RealNode,
  namespace: string,
  rateRps: number,
  windowSeconds: number | undefined,
): Promise<LoadStep> {
  return withRelease({ cluster, node, namespace, fixed: FIXED }, async (release, client) => {
    for (const stage of Object.keys(FIXED)) {
      const target = release.target(stage);
      await target.change({ triggers: [triggerOf(namespace)] });
      await until(() => isScaledByPrometheus(target), `KEDA has the other trigger of ${stage}`);
    }
    await client.rate(LOW_RPS);
    await settle(release, client);
    await until(async () => (await release.target(STAGE).replicas()) === 1, "one replica");
    const { found: _, ...step } = await stepTo(release, client, rateRps, async () => undefined, windowSeconds);
    return step;
  });
}

async function isScaledByPrometheus(target: Target): Promise<boolean> {
  const name: string | undefined = (await target.hpa())?.spec.metrics[0]?.external?.metric?.name;
  return name?.includes("prometheus") === true;
}

function triggerOf(namespace: string): object {
  const selector = `variscale_gateway_offered_requests_total{namespace="${namespace}"}`;
  return {
    type: "prometheus",
    metricType: "AverageValue",
    metadata: {
      serverAddress: PROMETHEUS_URL,
      query: `sum(rate(${selector}[${RATE_SECONDS}s]))`,
      threshold: String(RPS_A_REPLICA),
    },
  };
}
