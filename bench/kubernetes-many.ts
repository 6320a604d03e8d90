import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Cluster, HPA_SYNC_SECONDS } from "../test/cluster/support/cluster.ts";
import { Program } from "../test/cluster/support/program.ts";
import { ScalerProcess } from "../test/cluster/support/scaler-process.ts";
import { Target } from "../test/cluster/support/target.ts";
import { until } from "../test/cluster/support/until.ts";
import type { AskedScaler, ManyResult } from "./kubernetes-results.ts";

const STAGES = ["detect", "read"] as const;
/** Of /proc: clock ticks are hundredths of a second on Linux. */
const TICKS_PER_SECOND = 100;
/** Of the constant scaler; those of the others are 10.77.1.1 and up. */
const CONSTANT_HOST = "10.77.1.250";
/** Of what is measured beside it; enough for a 0.99 quantile: each reads one latency of every ScaledObject. */
const OTHER_SYNCS = 8;

/** What KEDA asks of one scaler for so many ScaledObjects, each with an HPA of its own. */
interface Load {
  readonly namespace: string;
  readonly pipelines: readonly string[];
  readonly syncs: number;
}

/**
 * KEDA asks one scaler for so many ScaledObjects, each with an HPA of its own; then one that knows one answer, which is the limit of any scaler on grpc-js where KEDA, the API server and etcd have the same cores.
 */
export async function measureMany(cluster: Cluster, scaledObjects: number, syncs: number): Promise<ManyResult> {
  const pipelines = Array.from({ length: scaledObjects / STAGES.length }, (_, i) => `cards-${i}`);
  const ours = await measureOurs(cluster, { namespace: "many", pipelines, syncs });
  const constant = await measureConstant(cluster, { namespace: "constant", pipelines, syncs: OTHER_SYNCS });
  return { scaledObjects, ...ours, constant };
}

async function measureOurs(cluster: Cluster, load: Load): Promise<Pick<ManyResult, "ours" | "scalerMB">> {
  const { namespace } = load;
  const pipelines = load.pipelines.map(name => ({ namespace, name, stages: STAGES }));
  const scaler = await ScalerProcess.start(cluster, pipelines);
  try {
    const { pid } = scaler.program;
    const asked = await askedFor(cluster, load, scaler.address, pid);
    return { ours: asked, scalerMB: residentMB(pid) };
  } finally {
    await Target.removeAll(cluster, namespace);
    await scaler.close();
  }
}

async function measureConstant(cluster: Cluster, load: Load): Promise<AskedScaler> {
  const script = fileURLToPath(new URL("./constant-scaler.js", import.meta.url));
  const program = new Program({
    name: "constant-scaler",
    command: process.execPath,
    args: [script, CONSTANT_HOST, "6000"],
    logFile: join(cluster.folder, "log", "constant-scaler"),
  });
  program.start();
  try {
    await program.until(() => program.log().includes("serving"), "serving");
    return await askedFor(cluster, load, `${CONSTANT_HOST}:6000`, program.pid);
  } finally {
    await Target.removeAll(cluster, load.namespace);
    await program.stop();
  }
}

/** KEDA's latencies of so many syncs of all HPAs, and what CPU the scaler's process and the whole machine had meanwhile. */
async function askedFor(
  cluster: Cluster,
  { namespace, pipelines, syncs }: Load,
  scalerAddress: string,
  pid: number,
): Promise<AskedScaler> {
  const targets: Target[] = [];
  for (const pipeline of pipelines) {
    for (const stage of STAGES) {
      const metadata = { scalerAddress, pipeline, stage };
      const options = { namespace, name: `${pipeline}-${stage}`, metadata };
      targets.push(await Target.create(cluster, options, { hpa: false }));
    }
  }
  const sinceMs = Date.now();
  await until(() => targets.every(target => target.syncs(sinceMs) > 0), "every HPA syncs", 900_000);
  const latenciesMs: number[] = [];
  const before = cpuOf(pid);
  for (let i = 0; i < syncs; i++) {
    await sleep(HPA_SYNC_SECONDS * 1000);
    latenciesMs.push(...latenciesIn(await cluster.kedaMetrics(), namespace));
  }
  const after = cpuOf(pid);
  const seconds = (after.atMs - before.atMs) / 1000;
  return {
    latenciesMs,
    cores: (after.seconds - before.seconds) / seconds,
    waitedShare: (after.waitedSeconds - before.waitedSeconds) / seconds,
    machineShare: (after.machineSeconds - before.machineSeconds) / seconds / availableParallelism(),
  };
}

/** How long KEDA last waited for the metric of each ScaledObject of a namespace. */
function latenciesIn(metrics: string, namespace: string): readonly number[] {
  const lines = metrics.matchAll(/^keda_scaler_metrics_latency_seconds\{([^}]*)\} (\S+)$/gm);
  const own = [...lines].filter(([, labels = ""]) => labels.includes(`namespace="${namespace}"`));
  return own.map(([, , seconds]) => Number(seconds) * 1000);
}

interface CpuTimes {
  readonly atMs: number;
  /** Of all threads of the process. */
  readonly seconds: number;
  /** For which its main thread could run and no core was free. */
  readonly waitedSeconds: number;
  /** Of everything that runs, on all cores. */
  readonly machineSeconds: number;
}

function cpuOf(pid: number): CpuTimes {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const [, waitedNs = ""] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ");
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] =
    readFileSync("/proc/stat", "utf8").split("\n")[0]?.split(/\s+/).slice(1).map(Number) ?? [];
  return {
    atMs: performance.now(),
    seconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    waitedSeconds: Number(waitedNs) / 1e9,
    machineSeconds: (user + nice + system + irq + softirq) / TICKS_PER_SECOND,
  };
}

function residentMB(pid: number): number {
  const kiB = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return (kiB * 1024) / 1e6;
}
