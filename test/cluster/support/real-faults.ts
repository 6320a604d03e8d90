import assert from "node:assert/strict";
import type { Cluster } from "./cluster.ts";
import { PROMETHEUS_URL } from "./cluster-prometheus.ts";
import type { Json } from "./kubernetes-api.ts";
import type { Client } from "./load/client.ts";
import { since } from "./load/tally.ts";
import { cutPort } from "./node/pod-network.ts";
import type { Program } from "./program.ts";
import type { RealRelease } from "./real-release.ts";
import { until } from "./until.ts";

export interface FaultPlace {
  readonly cluster: Cluster;
  readonly release: RealRelease;
  readonly client: Client;
  /** It scrapes the gateway of the release. */
  readonly prometheus: Program;
}

export interface Fault {
  readonly name: string;
  /** Brings it about under load; resolves when all is as before. */
  readonly happen: (place: FaultPlace) => Promise<void>;
}

/** Requests that a fault lasts for where nothing else ends it. */
const SERVED_MEANWHILE = 30;
/** Syncs of an HPA in which it would have taken away what it may. */
const HELD_SYNCS = 2;
/** A switcher that is connected reports every second. */
const FRESH_MS = 3000;

/** What must not lose a request of a pipeline in pods that run. */
export const FAULTS: readonly Fault[] = [
  { name: "kill -9 of a pod of detection", happen: ({ release }) => killSwitcher(release, "detection") },
  { name: "kill -9 of a pod of recognition", happen: ({ release }) => killSwitcher(release, "recognition") },
  { name: "rollout of detection", happen: ({ release }) => release.restart("detection") },
  { name: "kill -9 of the scaler that leads", happen: ({ release }) => killScaler(release) },
  { name: "partition between scaler and switchers", happen: partition },
  { name: "kill -9 of KEDA's operator, API server and etcd", happen: killControlPlane },
  { name: "upgrade that takes the load from a Prometheus", happen: ({ release }) => release.loadFrom(PROMETHEUS_URL) },
  { name: "kill -9 of the Prometheus that the load comes from", happen: killPrometheus },
];

/** Waits until so many more are served. */
export async function untilMore(client: Client, count = SERVED_MEANWHILE): Promise<void> {
  const before = await client.tally();
  await until(async () => since(before, await client.tally()).served >= count, `${count} more are served`);
}

/**
 * Waits until the stage has fewer replicas, and the pods that are too many have ended. How many are left, and when the heaviest variant comes
 * back, depends on what the forecast remembers of the load.
 */
export async function untilFewer(release: RealRelease, timeoutMs: number): Promise<void> {
  const target = release.target("detection");
  const before = await target.replicas();
  if (before < 2) throw new Error("there is no replica to take away");
  await until(async () => (await target.replicas()) < before, "fewer replicas", timeoutMs);
  await until(() => release.pods("detection").length < before, "the pods that were too many have ended");
}

async function killSwitcher(release: RealRelease, stage: string): Promise<void> {
  const pod = release.pods(stage).find(({ isEnding }) => !isEnding);
  const pid = pod?.pid("switcher") ?? 0;
  if (pid === 0) throw new Error(`${stage} has no pod that runs`);
  process.kill(pid, "SIGKILL");
  await until(() => ![0, pid].includes(pod?.pid("switcher") ?? 0), `a pod of ${stage} runs again`);
}

async function killScaler(release: RealRelease): Promise<void> {
  const leader = await release.leader();
  const pid = leader?.pid("scaler") ?? 0;
  if (pid === 0) throw new Error("no scaler leads");
  process.kill(pid, "SIGKILL");
  await until(() => ![0, pid].includes(leader?.pid("scaler") ?? 0), "the scaler runs again");
  await until(async () => (await release.leader()) !== null, "a scaler leads");
  await untilFollowed(release);
}

async function partition({ release, client }: FaultPlace): Promise<void> {
  const mend = cutPort(6001);
  try {
    await untilMore(client);
  } finally {
    mend();
  }
  await untilFollowed(release);
}

async function killControlPlane({ cluster, client }: FaultPlace): Promise<void> {
  const { kedaOperator, apiServer, etcd } = cluster;
  for (const program of [kedaOperator, apiServer, etcd]) await program.stop("SIGKILL");
  await untilMore(client);
  for (const program of [etcd, apiServer]) program.start();
  await cluster.untilApiAnswers();
  kedaOperator.start();
  await cluster.untilKedaAnswers();
}

/**
 * While nothing is known of the load, the scaler says so, its last plan stays, and no replica is taken away but what that plan had no need of:
 * until the samples from before are too old, it goes on planning from them.
 */
async function killPrometheus({ release, client, prometheus }: FaultPlace): Promise<void> {
  const target = release.target("detection");
  await prometheus.stop("SIGKILL");
  try {
    const isSilent = async () => {
      const answering = await release.condition("LoadSourceAnswering");
      return answering?.status === false && answering.message.includes("ECONNREFUSED");
    };
    await until(isSilent, "the scaler says that its source does not answer");
    const isUnknown = async () => (await release.condition("MetricsAvailable"))?.status === false;
    await until(isUnknown, "the scaler says that it knows no load");
    const sinceMs = Date.now();
    const planned = await release.planned("detection");
    const before = await target.replicas();
    await Promise.all([untilMore(client), target.untilSyncs(HELD_SYNCS, sinceMs)]);
    assert.equal(await release.planned("detection"), planned, "without load data, the plan changed");
    const held = await target.replicas();
    if (held < Math.min(before, planned))
      throw new Error(`without load data, ${before} replicas became ${held}, where ${planned} were planned`);
  } finally {
    prometheus.start();
  }
  await until(() => release.isLoadKnown(), "the scaler plans from the load again");
}

/** Every stage has a switcher that reports to the scaler. */
async function untilFollowed(release: RealRelease): Promise<void> {
  const isFollowed = async () => {
    const { switchers = [], nowMs = 0 } = await release.page();
    const fresh = switchers.filter(({ lastReportMs }: Json) => nowMs - lastReportMs < FRESH_MS);
    return ["detection", "recognition"].every(stage => fresh.some((switcher: Json) => switcher.stage === stage));
  };
  await until(isFollowed, "switchers report to the scaler again");
}
