import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onEndSignal } from "../runtime/shutdown.ts";
import { packageFolder } from "../runtime/version.ts";
import { type Figure, figure } from "./figure.ts";
import { type KubernetesPart, type KubernetesResults, kubernetesParts, type LoadStep } from "./kubernetes-results.ts";

/** A real Kubernetes and KEDA with pods that run: what a step of the load, faults and hundreds of ScaledObjects come to. Needs root. */
export async function kubernetesSuite(only: readonly string[] | null): Promise<Figure[]> {
  const parts: readonly string[] = kubernetesParts(only);
  const results = await runParts(parts);
  const figures: Readonly<Record<KubernetesPart, (results: KubernetesResults) => readonly Figure[]>> = {
    step: stepFigures,
    plain: () => [plainFigure(results)],
    faults: () => [faultsFigure(results)],
    failover: failoverFigures,
    many: manyFigures,
  };
  return Object.entries(figures).flatMap(([part, of]) => (parts.includes(part) ? of(results) : []));
}

/** In namespaces of its own, where the programs of the cluster are started, and ended with this process once they run; what it says goes to standard error. */
async function runParts(parts: readonly string[]): Promise<KubernetesResults> {
  const folder = mkdtempSync(join(tmpdir(), "variscale-kubernetes-"));
  const file = join(folder, "results.json");
  try {
    const script = fileURLToPath(new URL("./kubernetes-process.js", import.meta.url));
    const args = [join(packageFolder, "scripts/test-cluster.mjs"), file, ...parts];
    const env = { ...process.env, CI: "1", VARISCALE_CLUSTER_SCRIPT: script };
    const cluster = spawn(process.execPath, args, { stdio: ["ignore", 2, 2], env });
    onEndSignal(signal => cluster.kill(signal));
    const [status] = (await once(cluster, "exit")) as [number | null];
    if (status !== 0 || !existsSync(file)) throw new Error(`the cluster of the suite ended with ${status}`);
    return JSON.parse(readFileSync(file, "utf8")) as KubernetesResults;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function stepFigures(results: KubernetesResults): Figure[] {
  const { step } = results;
  if (!step) return missing(results, "step", ["step.missedPercent", "step.syncsToReplicas"]);
  return [
    figure("step.missedPercent", round(100 * missedShare(step)), {
      against: counted("", step),
      note: `requests of ${step.seconds} s from the step on that had no answer within 600 ms; to ${step.rateRps} requests a second, 0.8 of what the lightest variants carry on the replicas that are ready, or what the gateway beside them does`,
    }),
    figure("step.syncsToReplicas", step.syncsToReplicas),
  ];
}

/** Requests that were not answered within the SLO, less those that plain KEDA left so. */
function plainFigure(results: KubernetesResults): Figure {
  const { step, plain } = results;
  const against = { ...(step && counted("", step)), ...(plain && counted("plain", plain)) };
  if (!step || !plain) {
    const note = whyMissing(results, step ? "plain" : "step");
    return figure("step.missedOverKeda", null, { against, note });
  }
  const [ours, theirs] = [missedShare(step), missedShare(plain)];
  const note = `points of the requests of ${step.seconds} s from the step on that had no answer within 600 ms, ${percent(ours)}, above those of a \`prometheus\` trigger with ${plain.fixed}, ${percent(theirs)}; the machine's cores are shared by all of it`;
  return figure("step.missedOverKeda", round(100 * (ours - theirs)), { against, note });
}

function missedShare({ tally: { offered, served, late } }: LoadStep): number {
  // One that was sent before the step may have been served after it.
  return Math.max(0, offered - served + late) / offered;
}

function counted(prefix: string, { tally, readyReplicas }: LoadStep): Readonly<Record<string, number>> {
  const { offered, served, late, dropped, lost, failed } = tally;
  const counts = { offered, served, late, dropped, lost: lost + failed, readyReplicas };
  const named = (name: string) => (prefix === "" ? name : `${prefix}${name.charAt(0).toUpperCase()}${name.slice(1)}`);
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [named(name), count]));
}

function faultsFigure(results: KubernetesResults): Figure {
  const { faults, step } = results;
  if (!faults) return figure("faults.lost", null, { note: whyMissing(results, "faults") });
  const scenarios = Object.entries({ ...(step && { "step up": step.tally }), ...faults });
  const lost = scenarios.reduce((sum, [, tally]) => sum + tally.lost + tally.failed, 0);
  const texts = scenarios.map(([name, { offered, served, dropped, lost, failed }]) => {
    const losses = lost + failed > 0 ? `, ${lost + failed} lost` : "";
    return `${name}: ${offered} offered, ${served} served, ${dropped} dropped${losses}`;
  });
  return figure("faults.lost", lost, { note: texts.join("; ") });
}

function failoverFigures(results: KubernetesResults): Figure[] {
  const { failover } = results;
  if (!failover) return missing(results, "failover", ["failover.seconds", "failover.changedAnswers"]);
  const { seconds, answers, changed, failed } = failover;
  return [
    figure("failover.seconds", round(seconds)),
    figure("failover.changedAnswers", changed, { against: { answers, failed } }),
  ];
}

function manyFigures(results: KubernetesResults): Figure[] {
  const { many } = results;
  if (!many) return missing(results, "many", ["rpc.p99Ms", "many.scalerMB", "many.scalerCores"]);
  const { scaledObjects, ours, scalerMB, constant } = many;
  const against = {
    p50Ms: shareOf(ours.latenciesMs, 0.5),
    waitedShare: round(ours.waitedShare),
    machineShare: round(ours.machineShare),
    constantP99Ms: shareOf(constant.latenciesMs, 0.99),
    constantP50Ms: shareOf(constant.latenciesMs, 0.5),
    constantWaitedShare: round(constant.waitedShare),
    constantMachineShare: round(constant.machineShare),
    constantCores: round(constant.cores),
  };
  const note = `${scaledObjects} ScaledObjects, ${ours.latenciesMs.length} of KEDA's latencies, constant: of a scaler that knows one answer; waited: share of the time in which the scaler's main thread, which ticks, could run and no core was free; machine: how busy all cores were`;
  return [
    figure("rpc.p99Ms", shareOf(ours.latenciesMs, 0.99), { against, note }),
    figure("many.scalerMB", round(scalerMB)),
    figure("many.scalerCores", round(ours.cores)),
  ];
}

function shareOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN);
}

function missing(results: KubernetesResults, part: KubernetesPart, names: readonly string[]): Figure[] {
  return names.map(name => figure(name, null, { note: whyMissing(results, part) }));
}

function whyMissing({ problems }: KubernetesResults, part: KubernetesPart): string {
  return problems?.[part] ?? `\`${part}\` was not run`;
}

function percent(share: number): string {
  return `${round(100 * share)} %`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
