import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../test/cluster/support/load/client.ts";
import { since } from "../test/cluster/support/load/tally.ts";
import type { RunningPod } from "../test/cluster/support/node/running-pod.ts";
import { untilMore } from "../test/cluster/support/real-faults.ts";
import type { RealRelease } from "../test/cluster/support/real-release.ts";
import { until } from "../test/cluster/support/until.ts";
import type { LoadStep, StepResult } from "./kubernetes-results.ts";

/** What one pod with the heaviest detector serves easily. */
export const LOW_RPS = 0.5;
export const STAGE = "detection";
export const HEAVIEST = "v4-640";
/** The step, as a multiple of what one pod with the heaviest detector can serve at all on this machine now. */
const OVERLOAD = 1.7;
/** Of a gateway beside it that has its share of two cores. */
const MOST_RPS = 25;
/** So that every pod's history is that of the low load. */
const SETTLE_REQUESTS = 15;
/** After the step, in which every request is counted. */
const WINDOW_SECONDS = 60;

/** Until one replica with the heaviest variant has served the low load for a while. */
export async function settle(release: RealRelease, client: Client): Promise<void> {
  await until(async () => (await release.variants(STAGE)).every(name => name === HEAVIEST), "the heaviest variant");
  await untilMore(client, SETTLE_REQUESTS);
}

/** Requests a second that one pod can't serve with the heaviest variant, by how long its batches of one took so far. */
export async function highRateOf(release: RealRelease): Promise<number> {
  const texts = await Promise.all(release.pods(STAGE).map(metricsOf));
  const sum = (name: string) => texts.reduce((total, text) => total + metricOf(text, name), 0);
  const seconds = sum("variscale_switcher_service_seconds_sum") / sum("variscale_switcher_batch_rows_sum");
  return Math.min(MOST_RPS, Math.round((10 * OVERLOAD) / seconds) / 10);
}

/** Sends the high load for `windowSeconds`, or until `meanwhile` has ended, and waits until every request has; `meanwhile` runs from the step on. */
export async function stepTo<T>(
  release: RealRelease,
  client: Client,
  rateRps: number,
  meanwhile: (startMs: number) => Promise<T>,
  windowSeconds = WINDOW_SECONDS,
): Promise<LoadStep & { readonly found: T }> {
  const before = await client.tally();
  const startMs = performance.now();
  await client.rate(rateRps);
  const [found] = await Promise.all([meanwhile(startMs), sleep(windowSeconds * 1000)]);
  const seconds = Math.round((performance.now() - startMs) / 1000);
  const readyReplicas = await release.ready(STAGE);
  return { rateRps, seconds, tally: since(before, await client.end()), readyReplicas, found };
}

export async function measureStep(release: RealRelease, client: Client, rateRps: number): Promise<StepResult> {
  const ready = release.pods(STAGE).filter(({ isEnding }) => !isEnding);
  const served = new Map<RunningPod, number>();
  for (const pod of ready) served.set(pod, await lighterBatches(pod));
  const toLighter = async (startMs: number): Promise<number> => {
    for (const pod of ready)
      await until(async () => (await lighterBatches(pod)) > (served.get(pod) ?? 0), "a lighter variant has answered");
    return Math.round(performance.now() - startMs);
  };
  const { found, ...step } = await stepTo(release, client, rateRps, startMs =>
    Promise.all([toLighter(startMs), syncsToReplicas(release)]),
  );
  return { ...step, toLighterVariantMs: found[0], syncsToReplicas: found[1] };
}

/** Syncs of the HPA from KEDA being told more replicas until the Deployment has more. */
async function syncsToReplicas(release: RealRelease): Promise<number> {
  const target = release.target(STAGE);
  const replicas = await target.replicas();
  const isTold = async () => {
    const stages: readonly { stage: string; replicasNow: number }[] = (await release.page()).board?.stages ?? [];
    return (stages.find(({ stage }) => stage === STAGE)?.replicasNow ?? 0) > replicas;
  };
  await until(isTold, "KEDA is told more replicas");
  const toldMs = Date.now();
  await until(async () => (await target.replicas()) > replicas, "the replicas follow");
  return target.syncs(toldMs);
}

/** Batches that a pod's switcher ran with other variants than the heaviest. */
async function lighterBatches(pod: RunningPod): Promise<number> {
  const counts = [...(await metricsOf(pod)).matchAll(/^variscale_switcher_batch_rows_count\{([^}]*)\} (\d+)/gm)];
  const lighter = counts.filter(([, labels]) => !labels?.includes(`variant="${HEAVIEST}"`));
  return lighter.reduce((sum, [, , count]) => sum + Number(count), 0);
}

async function metricsOf(pod: RunningPod): Promise<string> {
  return (await fetch(`http://${pod.address}:8003/metrics`)).text();
}

/** Of a metric of the heaviest variant; 0: there is none. */
function metricOf(text: string, name: string): number {
  const lines = [...text.matchAll(new RegExp(`^${name}\\{([^}]*)\\} (\\S+)$`, "gm"))];
  return Number(lines.find(([, labels]) => labels?.includes(`variant="${HEAVIEST}"`))?.[2] ?? 0);
}
