import type { Cluster } from "../test/cluster/support/cluster.ts";
import type { RealRelease } from "../test/cluster/support/real-release.ts";
import { until } from "../test/cluster/support/until.ts";
import type { FailoverResult } from "./kubernetes-results.ts";
import { STAGE } from "./kubernetes-step.ts";

/** A count that the load alone would not give. */
const PINNED = 2;
/** After another one leads: what it answers when it plans itself. */
const ANSWERS_AFTER = 50;

/** The pod of the scaler that leads is gone at once; all the while the API server is asked for what KEDA answers. */
export async function measureFailover(cluster: Cluster, release: RealRelease): Promise<FailoverResult> {
  await release.pin(STAGE, PINNED);
  await until(async () => (await answerOf(cluster, release)) === PINNED, "KEDA answers the pinned count");
  const leader = await release.leader();
  if (leader === null) throw new Error("no scaler leads");
  const answers: (number | null)[] = [];
  const startMs = performance.now();
  process.kill(leader.pid("scaler"), "SIGKILL");
  // By force, so that it does not start anew and lead again.
  const path = `/api/v1/namespaces/${release.namespace}/pods/${leader.pod.metadata.name}`;
  await cluster.api.call("DELETE", path, { gracePeriodSeconds: 0 });
  const isOther = async () => {
    answers.push(await answerOf(cluster, release));
    const now = await release.leader();
    return now !== null && now !== leader;
  };
  await until(isOther, "another scaler leads");
  const seconds = (performance.now() - startMs) / 1000;
  for (let i = 0; i < ANSWERS_AFTER; i++) answers.push(await answerOf(cluster, release));
  await release.unpin();
  return {
    seconds,
    answers: answers.length,
    changed: answers.filter(answer => answer !== null && answer !== PINNED).length,
    failed: answers.filter(answer => answer === null).length,
  };
}

/** What an HPA is told of the stage now; null: an error. */
async function answerOf({ api }: Cluster, release: RealRelease): Promise<number | null> {
  const { namespace } = release;
  const { name } = release.target(STAGE);
  const selector = encodeURIComponent(`scaledobject.keda.sh/name=${name}`);
  const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/s0-${name}?labelSelector=${selector}`;
  const { status, body } = await api.call("GET", path);
  return status === 200 ? Number(body.items[0]?.value) : null;
}
