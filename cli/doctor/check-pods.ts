import type { ContainerStatus, Pod } from "./cluster-objects.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** A pod that is younger is only starting: its image is pulled and its models are loaded. */
const STARTS_WITHIN_MS = 120_000;
/** What passes by itself. */
const STARTING = /^(ContainerCreating|PodInitializing)$/;

/** Why a pod is not ready. */
interface Trouble {
  readonly reason: string;
  readonly message: string;
  readonly fix: string;
  readonly isCertain: boolean;
}

/** Whether the pods of a stage are ready, and why they are not: those of one cause together. */
export function checkPods(pods: readonly Pod[], where: string, nowMs: number): readonly Finding[] {
  const living = pods.filter(({ metadata }) => !metadata.deletionTimestamp);
  const ready = living.filter(isReady);
  const troubles = new Map<string, { trouble: Trouble; names: string[] }>();
  for (const pod of living) {
    const trouble = isReady(pod) ? null : troubleOf(pod, nowMs);
    if (trouble === null) continue;
    const of = troubles.get(trouble.reason) ?? { trouble, names: [] };
    of.names.push(pod.metadata.name);
    troubles.set(trouble.reason, of);
  }
  const findings = [...troubles.values()].map(({ trouble, names }) => {
    const { reason, message, fix, isCertain } = trouble;
    const others = names.length > 1 ? ` and ${names.length - 1} more` : "";
    const what = `${names.length} of ${living.length} pods not ready: ${[reason, message].filter(Boolean).join(": ")} (${names[0]}${others})`;
    return (isCertain ? fail : warn)("pods", where, what, fix);
  });
  if (findings.length > 0) return findings;
  const starting = living.length - ready.length;
  return [
    ok("pods", where, `${ready.length} of ${living.length} pods are ready${starting > 0 ? ", the others start" : ""}`),
  ];
}

function isReady({ status }: Pod): boolean {
  return (status?.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True");
}

/** Null: it has not had the time yet. */
function troubleOf(pod: Pod, nowMs: number): Trouble | null {
  const { metadata, status } = pod;
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False")
    return {
      reason: scheduled.reason ?? "Unschedulable",
      message: scheduled.message ?? "",
      fix: "add nodes, or lower `cores` and `memoryMiB` of the stage or its `replicas.max`; until then the plan uses what is ready",
      isCertain: false,
    };
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const stopped = containers.find(({ state }) => state?.waiting?.reason && !STARTING.test(state.waiting.reason));
  if (stopped) {
    const { reason = "", message = "" } = stopped.state?.waiting ?? {};
    return { reason: reason ?? "", message: message ?? "", fix: fixOf(pod, stopped), isCertain: true };
  }
  if (nowMs - Date.parse(metadata.creationTimestamp ?? "") < STARTS_WITHIN_MS) return null;
  return {
    reason: status?.phase === "Running" ? "runs and does not become ready" : (status?.phase ?? "Unknown"),
    message: status?.message ?? "",
    fix: `kubectl -n ${metadata.namespace} describe pod ${metadata.name}, and its log`,
    isCertain: true,
  };
}

function fixOf({ metadata }: Pod, { name, state, restartCount }: ContainerStatus): string {
  const reason = state?.waiting?.reason ?? "";
  if (/Image/.test(reason)) return "correct the image's name, or the pull secret of its registry";
  if (/Config/.test(reason)) return "create the ConfigMap or Secret that the container names";
  const previous = (restartCount ?? 0) > 0 ? " --previous" : "";
  return `kubectl -n ${metadata.namespace} logs ${metadata.name} -c ${name}${previous}`;
}
