import type { Tally } from "../test/cluster/support/load/tally.ts";

/** What the suite's script measures inside the cluster's namespaces; what was not asked for is left out. */
export interface KubernetesResults {
  readonly step?: StepResult;
  readonly failover?: FailoverResult;
  readonly faults?: Readonly<Record<string, Tally>>;
  readonly many?: ManyResult;
}

export interface StepResult {
  /** From the step of the load until every pod that was ready has answered with a lighter variant. */
  readonly toLighterVariantMs: number;
  /** Syncs of the HPA from KEDA being told more replicas until the Deployment has them. */
  readonly syncsToReplicas: number;
  readonly tally: Tally;
}

export interface ManyResult {
  readonly scaledObjects: number;
  /** Of KEDA's own gauge of every ScaledObject, read once a sync. */
  readonly latenciesMs: readonly number[];
  readonly scalerMB: number;
  readonly scalerCores: number;
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
