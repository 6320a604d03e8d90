import type { Json } from "../kubernetes-api.ts";

/** What is known of a pod that its status is made from. */
export interface PodFacts {
  readonly startTime: string;
  readonly hostAddress: string;
  /** Null: it has none yet. */
  readonly address: string | null;
  /** Whether all init containers have ended well. */
  readonly isInitialised: boolean;
  readonly initContainers: readonly Json[];
  readonly containers: readonly Json[];
  /** Why it can't run; null: it can. */
  readonly failure: string | null;
}

/** The status of a pod as a kubelet writes it; conditions that others own are left out. */
export function podStatus(facts: PodFacts): Json {
  const { startTime, hostAddress, address, isInitialised, initContainers, containers, failure } = facts;
  const isReady = isInitialised && containers.length > 0 && containers.every(({ ready }) => ready);
  return {
    phase: failure === null ? phaseOf(isInitialised, containers) : "Failed",
    ...(failure === null ? {} : { reason: "NodeFailed", message: failure }),
    ...{ startTime, hostIP: hostAddress, hostIPs: [{ ip: hostAddress }] },
    ...(address === null ? {} : { podIP: address, podIPs: [{ ip: address }] }),
    conditions: [
      condition("Initialized", isInitialised),
      condition("ContainersReady", isReady),
      condition("Ready", isReady),
    ],
    initContainerStatuses: initContainers,
    containerStatuses: containers,
  };
}

function phaseOf(isInitialised: boolean, containers: readonly Json[]): string {
  if (!isInitialised || containers.length === 0) return "Pending";
  const codes = containers.map(({ state }) => state.terminated?.exitCode);
  if (codes.some(code => code === undefined)) return "Running";
  return codes.every(code => code === 0) ? "Succeeded" : "Failed";
}

function condition(type: string, is: boolean): Json {
  return { type, status: is ? "True" : "False", lastTransitionTime: new Date().toISOString() };
}
