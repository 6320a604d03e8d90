import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cluster, HPA_SYNC_SECONDS } from "../test/cluster/support/cluster.ts";
import { ScalerProcess } from "../test/cluster/support/scaler-process.ts";
import { Target } from "../test/cluster/support/target.ts";
import { until } from "../test/cluster/support/until.ts";
import type { ManyResult } from "./kubernetes-results.ts";

const STAGES = ["detect", "read"] as const;
const NAMESPACE = "many";
/** Of /proc: clock ticks are hundredths of a second on Linux. */
const TICKS_PER_SECOND = 100;

/** KEDA asks one scaler for so many ScaledObjects, each with an HPA of its own. */
export async function measureMany(cluster: Cluster, scaledObjects: number, syncs: number): Promise<ManyResult> {
  const pipelines = Array.from({ length: scaledObjects / STAGES.length }, (_, i) => ({
    namespace: NAMESPACE,
    name: `cards-${i}`,
    stages: STAGES,
  }));
  const scaler = await ScalerProcess.start(cluster, pipelines);
  try {
    const targets: Target[] = [];
    for (const { name: pipeline } of pipelines) {
      for (const stage of STAGES) {
        const metadata = { scalerAddress: scaler.address, pipeline, stage };
        const options = { namespace: NAMESPACE, name: `${pipeline}-${stage}`, metadata };
        targets.push(await Target.create(cluster, options, { hpa: false }));
      }
    }
    const sinceMs = Date.now();
    await until(() => targets.every(target => target.syncs(sinceMs) > 0), "every HPA syncs", 900_000);
    const { pid } = scaler.program;
    const latenciesMs: number[] = [];
    const [startMs, startTicks] = [performance.now(), ticksOf(pid)];
    for (let i = 0; i < syncs; i++) {
      await sleep(HPA_SYNC_SECONDS * 1000);
      latenciesMs.push(...latenciesIn(await cluster.kedaMetrics()));
    }
    const seconds = (performance.now() - startMs) / 1000;
    const scalerCores = (ticksOf(pid) - startTicks) / TICKS_PER_SECOND / seconds;
    return { scaledObjects, latenciesMs, scalerMB: residentMB(pid), scalerCores };
  } finally {
    await Target.removeAll(cluster, NAMESPACE);
    await scaler.close();
  }
}

/** How long KEDA last waited for the metric of each ScaledObject. */
function latenciesIn(metrics: string): readonly number[] {
  const lines = metrics.matchAll(/^keda_scaler_metrics_latency_seconds\{[^}]*\} (\S+)$/gm);
  return [...lines].map(([, seconds]) => Number(seconds) * 1000);
}

/** CPU time of a process. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

function residentMB(pid: number): number {
  const kiB = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return (kiB * 1024) / 1e6;
}
