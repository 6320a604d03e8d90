import { z } from "zod";
import { objectConditions as conditions } from "../runtime/object-conditions.ts";

const containerStatus = z.looseObject({
  name: z.string(),
  restartCount: z.number().nullish(),
  state: z
    .looseObject({ waiting: z.looseObject({ reason: z.string().nullish(), message: z.string().nullish() }).nullish() })
    .nullish(),
});

/** What is read of a pod. */
export const podSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().default(""),
    labels: z.record(z.string(), z.string()).nullish(),
    creationTimestamp: z.string().nullish(),
    deletionTimestamp: z.string().nullish(),
  }),
  status: z
    .looseObject({
      phase: z.string().nullish(),
      message: z.string().nullish(),
      conditions,
      initContainerStatuses: z.array(containerStatus).nullish(),
      containerStatuses: z.array(containerStatus).nullish(),
    })
    .nullish(),
});

export type Pod = z.output<typeof podSchema>;
type ContainerStatus = z.output<typeof containerStatus>;

/** A pod that is younger is only starting: its image is pulled and its models are loaded. */
const STARTS_WITHIN_MS = 120_000;
/** What passes by itself. */
const STARTING = /^(ContainerCreating|PodInitializing)$/;

/** Why pods are not ready: those of one cause together. */
export interface PodTrouble {
  /** `Unschedulable` */
  readonly reason: string;
  /** `2 of 5 pods not ready: Unschedulable: 0/3 nodes are available (cards-detect-x and 1 more)` */
  readonly what: string;
  readonly fix: string;
  /** False: it may pass by itself. */
  readonly isCertain: boolean;
}

interface Cause extends Omit<PodTrouble, "what"> {
  readonly message: string;
}

export interface PodsReading {
  readonly living: number;
  readonly ready: number;
  readonly troubles: readonly PodTrouble[];
}

/** How many of the pods of a stage are ready, and why the others are not, in the words of the scheduler or the kubelet. */
export function readPods(pods: readonly Pod[], nowMs: number): PodsReading {
  const living = pods.filter(({ metadata }) => !metadata.deletionTimestamp);
  const causes = new Map<string, { cause: Cause; names: string[] }>();
  for (const pod of living) {
    const cause = isReady(pod) ? null : causeOf(pod, nowMs);
    if (cause === null) continue;
    const of = causes.get(cause.reason) ?? { cause, names: [] };
    of.names.push(pod.metadata.name);
    causes.set(cause.reason, of);
  }
  const troubles = [...causes.values()].map(({ cause: { reason, message, fix, isCertain }, names }) => {
    const others = names.length > 1 ? ` and ${names.length - 1} more` : "";
    const why = [reason, message].filter(Boolean).join(": ");
    return {
      reason,
      what: `${names.length} of ${living.length} pods not ready: ${why} (${names[0]}${others})`,
      fix,
      isCertain,
    };
  });
  return { living: living.length, ready: living.filter(isReady).length, troubles };
}

function isReady({ status }: Pod): boolean {
  return (status?.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True");
}

/** Null: it has not had the time yet. */
function causeOf(pod: Pod, nowMs: number): Cause | null {
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
