import { setTimeout as sleep } from "node:timers/promises";
import type { Pipeline } from "../domain/pipeline.ts";
import { withoutVariants } from "../domain/without-variants.ts";
import { pipelineFileAt, readPipeline } from "../runtime/read-pipeline.ts";
import type { Client } from "../test/cluster/support/load/client.ts";
import { since } from "../test/cluster/support/load/tally.ts";
import type { RunningPod } from "../test/cluster/support/node/running-pod.ts";
import { untilMore } from "../test/cluster/support/real-faults.ts";
import type { RealRelease } from "../test/cluster/support/real-release.ts";
import { until } from "../test/cluster/support/until.ts";
import type { LoadStep, StepResult } from "./kubernetes-results.ts";
import { findCarriedRps, type StepPlace } from "./ladder/fixed-for-step.ts";

/** One pod with the heaviest detector serves so many easily. */
export const LOW_RPS = 0.5;
export const STAGE = "detection";
const HEAVIEST = "v4-640";
/** The step, as a share of what the lightest variants carry on the replicas that are ready. */
const STEP_SHARE = 0.8;
/** The gateway beside it has its share of two cores, and carries no more. */
const MOST_RPS = 25;
/** Every pod's history is that of the low load after so many. */
const SETTLE_REQUESTS = 15;
/** Every request of so long after the step is counted. */
const WINDOW_SECONDS = 60;

/** Until one replica with this variant has served the low load for a while. */
export async function settle(release: RealRelease, client: Client, variant = HEAVIEST): Promise<void> {
  await until(async () => (await release.variants(STAGE)).every(name => name === variant), `the variant ${variant}`);
  await untilMore(client, SETTLE_REQUESTS);
}

/** The pipeline as the release has it: variants of packages that have to be installed first are not there. */
function readReleased(): Pipeline {
  const pipeline = readPipeline(pipelineFileAt("id-card"));
  const missing = pipeline.stages.flatMap(({ name, variants }) =>
    variants.filter(variant => variant.package !== null).map(variant => `${name}/${variant.name}`),
  );
  return withoutVariants(pipeline, missing);
}

/** The replicas that are ready, and how fast this machine is, by how long batches of one took with the heaviest detector so far. */
export async function describePlace(release: RealRelease): Promise<StepPlace> {
  const pipeline = readReleased();
  const texts = await Promise.all(release.pods(STAGE).map(readMetrics));
  const sum = (name: string) => texts.reduce((total, text) => total + readMetric(text, name), 0);
  const rowMs = (1000 * sum("variscale_switcher_service_seconds_sum")) / sum("variscale_switcher_batch_rows_sum");
  const profile = pipeline.stages[0]?.variants.find(({ name }) => name === HEAVIEST)?.profile;
  const replicas: Record<string, number> = {};
  for (const { name } of pipeline.stages) replicas[name] = await release.ready(name);
  return { pipeline, replicas, factor: rowMs / (profile?.points[0]?.latencyMs ?? rowMs) };
}

/** Requests a second after the step. */
export function findStepRps(place: StepPlace): number {
  return Math.min(MOST_RPS, Math.round(10 * STEP_SHARE * findCarriedRps(place)) / 10);
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
  const { found, ...step } = await stepTo(release, client, rateRps, () => countSyncs(release));
  return { ...step, syncsToReplicas: found };
}

/** Syncs of the HPA from KEDA being told more replicas until the Deployment has more. */
async function countSyncs(release: RealRelease): Promise<number> {
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

async function readMetrics(pod: RunningPod): Promise<string> {
  return (await fetch(`http://${pod.address}:8003/metrics`)).text();
}

/** The value of a metric of the heaviest variant; 0 where there is none. */
function readMetric(text: string, name: string): number {
  const lines = [...text.matchAll(new RegExp(`^${name}\\{([^}]*)\\} (\\S+)$`, "gm"))];
  return Number(lines.find(([, labels]) => labels?.includes(`variant="${HEAVIEST}"`))?.[2] ?? 0);
}
