import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageFolder } from "../runtime/version.ts";
import { type Figure, figure } from "./figure.ts";
import type { FailoverResult, KubernetesResults, ManyResult, StepResult } from "./kubernetes-results.ts";

const PARTS = ["step", "failover", "faults", "many"] as const;
/** Why a figure has no value. */
const NOT_ASKED = "this part was not run";

/** A real Kubernetes and KEDA with pods that run: what a step of the load, faults and hundreds of ScaledObjects come to. Needs root. */
export async function kubernetesSuite(only: readonly string[] | null): Promise<Figure[]> {
  const parts = only ?? PARTS;
  const unknown = parts.find(part => !(PARTS as readonly string[]).includes(part));
  if (unknown !== undefined) throw new Error(`--only: one of ${PARTS.join(", ")}, not \`${unknown}\``);
  const { step, failover, faults, many } = runParts(parts);
  const lost = Object.values(faults ?? {}).reduce((sum, tally) => sum + tally.lost + tally.failed, 0);
  const counted = Object.entries(faults ?? {}).map(
    ([name, { offered, served, dropped }]) => `${name}: ${offered} offered, ${served} served, ${dropped} dropped`,
  );
  return [
    ...stepFigures(step),
    figure("faults.lost", faults ? lost : null, { note: faults ? counted.join("; ") : NOT_ASKED }),
    ...failoverFigures(failover),
    ...manyFigures(many),
  ];
}

/** In namespaces of its own, where the programs of the cluster are started; what it says goes to standard error. */
function runParts(parts: readonly string[]): KubernetesResults {
  const folder = mkdtempSync(join(tmpdir(), "variscale-kubernetes-"));
  const file = join(folder, "results.json");
  try {
    const script = fileURLToPath(new URL("./kubernetes-process.js", import.meta.url));
    const args = [join(packageFolder, "scripts/test-cluster.mjs"), file, ...parts];
    const env = { ...process.env, CI: "1", VARISCALE_CLUSTER_SCRIPT: script };
    const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", 2, 2], env });
    if (status !== 0 || !existsSync(file)) throw new Error(`the cluster of the suite ended with ${status}`);
    return JSON.parse(readFileSync(file, "utf8")) as KubernetesResults;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function stepFigures(step: StepResult | undefined): Figure[] {
  if (!step)
    return ["step.toLighterVariantMs", "step.syncsToReplicas"].map(name => figure(name, null, { note: NOT_ASKED }));
  const { offered, served, dropped, lost, failed } = step.tally;
  return [
    figure("step.toLighterVariantMs", step.toLighterVariantMs, { against: { offered, served, dropped, lost, failed } }),
    figure("step.syncsToReplicas", step.syncsToReplicas),
  ];
}

function failoverFigures(failover: FailoverResult | undefined): Figure[] {
  const names = ["failover.seconds", "failover.changedAnswers"];
  if (!failover) return names.map(name => figure(name, null, { note: NOT_ASKED }));
  const { seconds, answers, changed, failed } = failover;
  return [
    figure("failover.seconds", round(seconds)),
    figure("failover.changedAnswers", changed, { against: { answers, failed } }),
  ];
}

function manyFigures(many: ManyResult | undefined): Figure[] {
  const names = ["rpc.p99Ms", "many.scalerMB", "many.scalerCores"];
  if (!many) return names.map(name => figure(name, null, { note: NOT_ASKED }));
  const sorted = [...many.latenciesMs].sort((a, b) => a - b);
  const at = (share: number) => round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN);
  const note = `${many.scaledObjects} ScaledObjects, ${sorted.length} of KEDA's latencies`;
  return [
    figure("rpc.p99Ms", at(0.99), { against: { p50Ms: at(0.5) }, note }),
    figure("many.scalerMB", round(many.scalerMB)),
    figure("many.scalerCores", round(many.scalerCores)),
  ];
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
