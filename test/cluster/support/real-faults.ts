import type { Cluster } from "./cluster.ts";
import type { Json } from "./kubernetes-api.ts";
import type { Client } from "./load/client.ts";
import { since } from "./load/tally.ts";
import { cutPort } from "./node/pod-network.ts";
import type { RealRelease } from "./real-release.ts";
import { until } from "./until.ts";

export interface FaultPlace {
  readonly cluster: Cluster;
  readonly release: RealRelease;
  readonly client: Client;
}

export interface Fault {
  readonly name: string;
  /** Brings it about under load; resolves when all is as before. */
  readonly happen: (place: FaultPlace) => Promise<void>;
}

/** Requests that a fault lasts for where nothing else ends it. */
const SERVED_MEANWHILE = 30;
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
];

/** Waits until so many more are served. */
export async function untilMore(client: Client, count = SERVED_MEANWHILE): Promise<void> {
  const before = await client.tally();
  await until(async () => since(before, await client.tally()).served >= count, `${count} more are served`);
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

/** Every stage has a switcher that reports to the scaler. */
async function untilFollowed(release: RealRelease): Promise<void> {
  const isFollowed = async () => {
    const { switchers = [], nowMs = 0 } = await release.page();
    const fresh = switchers.filter(({ lastReportMs }: Json) => nowMs - lastReportMs < FRESH_MS);
    return ["detection", "recognition"].every(stage => fresh.some((switcher: Json) => switcher.stage === stage));
  };
  await until(isFollowed, "switchers report to the scaler again");
}
