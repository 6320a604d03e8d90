import { PROMETHEUS_URL } from "../test/cluster/support/cluster-prometheus.ts";
import type { Target } from "../test/cluster/support/target.ts";
import { until } from "../test/cluster/support/until.ts";
import { type ReleasePlace, withRelease } from "./kubernetes-release.ts";
import type { PlainResult } from "./kubernetes-results.ts";
import { LOW_RPS, STAGE, settle, stepTo } from "./kubernetes-step.ts";
import { chooseFixedFor, findCarriedRps, type StepPlace } from "./ladder/fixed-for-step.ts";

/** A plan uses a tenth of a replica in this rig: KEDA is told the same. */
const UTILISATION = 0.1;
/** Seconds of arrivals that the trigger sees: few, so that it is soon. */
const RATE_SECONDS = 10;

/**
 * The same chart and step of the load under plain KEDA: stages have one variant each, those that are best for the step, and replicas are those of a
 * `prometheus` trigger, with the behaviour of the chart's ScaledObjects, which waits for nothing and tolerates nothing.
 *
 * @param place at the time of the other run's step.
 * @param rateRps of the step.
 * @param windowSeconds in which requests are counted, as many as in the other run.
 */
export async function measurePlain(
  { cluster, node, namespace }: Omit<ReleasePlace, "fixed">,
  place: StepPlace,
  rateRps: number,
  windowSeconds: number | undefined,
): Promise<PlainResult> {
  const fixed = chooseFixedFor(place, rateRps);
  return await withRelease({ cluster, node, namespace, fixed }, async (release, client) => {
    for (const stage of Object.keys(fixed)) {
      const target = release.target(stage);
      const oneReplica = { ...place, replicas: Object.fromEntries(Object.keys(fixed).map(name => [name, 1])) };
      const threshold = UTILISATION * findCarriedRps(oneReplica, fixed);
      await target.change({ triggers: [createTrigger(namespace, threshold)] });
      await until(() => isScaledByPrometheus(target), `KEDA has the other trigger of ${stage}`);
    }
    await client.rate(LOW_RPS);
    await settle(release, client, fixed[STAGE]);
    await until(async () => (await release.target(STAGE).replicas()) === 1, "one replica");
    const { found: _, ...step } = await stepTo(release, client, rateRps, async () => undefined, windowSeconds);
    return { ...step, fixed: Object.values(fixed).join(" → ") };
  });
}

async function isScaledByPrometheus(target: Target): Promise<boolean> {
  const name: string | undefined = (await target.hpa())?.spec.metrics[0]?.external?.metric?.name;
  return name?.includes("prometheus") === true;
}

function createTrigger(namespace: string, threshold: number): object {
  const selector = `variscale_gateway_offered_requests_total{namespace="${namespace}"}`;
  return {
    type: "prometheus",
    metricType: "AverageValue",
    metadata: {
      serverAddress: PROMETHEUS_URL,
      query: `sum(rate(${selector}[${RATE_SECONDS}s]))`,
      threshold: threshold.toFixed(3),
    },
  };
}
