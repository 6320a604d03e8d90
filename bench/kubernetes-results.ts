import type { Tally } from "../test/cluster/support/load/tally.ts";
import { askedParts } from "./asked-parts.ts";

const KUBERNETES_PARTS = ["step", "failover", "faults", "plain", "many"] as const;
export type KubernetesPart = (typeof KUBERNETES_PARTS)[number];

/** Of `--only`, and `step` where `plain` is asked for: its figure is the ratio of the two. */
export function kubernetesParts(only: readonly string[] | null): readonly KubernetesPart[] {
  return askedParts(only?.includes("plain") ? [...only, "step"] : only, KUBERNETES_PARTS);
}

/** What the suite's script measures inside the cluster's namespaces; what was not asked for, or failed, is left out. */
export interface KubernetesResults {
  readonly step?: StepResult;
  readonly failover?: FailoverResult;
  readonly faults?: Readonly<Record<string, Tally>>;
  readonly plain?: PlainResult;
  readonly many?: ManyResult;
  /** Why a part failed. */
  readonly problems?: Readonly<Partial<Record<KubernetesPart, string>>>;
}

/** The same step of the load, and the time after it. */
export interface LoadStep {
  readonly rateRps: number;
  readonly seconds: number;
  /** Of all requests that were sent in this time. */
  readonly tally: Tally;
  /** Of the stage that is short, ready at its end. */
  readonly readyReplicas: number;
}

export interface StepResult extends LoadStep {
  /** Syncs of the HPA from KEDA being told more replicas until the Deployment has them. */
  readonly syncsToReplicas: number;
}

export interface PlainResult extends LoadStep {
  /** The variants of the stages. */
  readonly fixed: string;
}

/** A scaler that KEDA asks for hundreds of ScaledObjects. */
export interface AskedScaler {
  /** Of KEDA's own gauge of every ScaledObject, read once a sync. */
  readonly latenciesMs: readonly number[];
  /** That its process used. */
  readonly cores: number;
  /** Of the time: its main thread could run, and no core was free. */
  readonly waitedShare: number;
  /** Of all cores: they were busy, with whatever runs on the machine. */
  readonly machineShare: number;
}

export interface ManyResult {
  readonly scaledObjects: number;
  readonly ours: AskedScaler;
  /** The same without a thread for KEDA. */
  /** One that knows one answer. */
  readonly constant: AskedScaler;
  readonly scalerMB: number;
}

export interface FailoverResult {
  /** From the end of the leader until a scaler leads again. */
  readonly seconds: number;
  /** Questions for the metric of a stage whose count is pinned. */
  readonly answers: number;
  /** Answers that were another number. */
  readonly changed: number;
  /** Answers that were an error: replicas are then held. */
  readonly failed: number;
}
