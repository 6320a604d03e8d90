import type { PipelineBoard } from "../control/board.ts";
import type { PipelineStatus, PipelineStatusCondition } from "../domain/pipeline-status.ts";
import type { WatchedObject } from "./pipeline-watch.ts";
import type { ProcessCondition } from "./process-conditions.ts";

const MOST_MESSAGE = 4000;

/** What an InferencePipeline's status says: what became of its spec, and what is decided for the one that is served. */
export function objectStatus(
  { object, admitted, acceptedGeneration, decidedAtMs }: WatchedObject,
  board: PipelineBoard | null,
  processConditions: readonly ProcessCondition[],
): PipelineStatus {
  const isServed = admitted !== null && admitted.key !== null;
  const problem = admitted?.problem ?? null;
  const since = processConditions.find(({ type }) => type === "Accepted")?.sinceMs ?? decidedAtMs;
  const accepted = condition(
    "Accepted",
    problem === null,
    problem === null ? "Valid" : "Refused",
    since,
    said(problem, isServed),
  );
  const conditions: PipelineStatusCondition[] = [{ ...accepted, observedGeneration: object.generation }];
  if (!isServed)
    conditions.push(condition("Ready", false, "NotAccepted", decidedAtMs, "no spec of it was accepted yet"));
  else {
    for (const { type, status, reason, message, sinceMs } of board?.conditions ?? [])
      conditions.push(condition(type, status, reason, sinceMs, message));
    for (const { type, status, message, sinceMs } of processConditions)
      if (type !== "Accepted") conditions.push(condition(type, status, status ? "Works" : "Fails", sinceMs, message));
  }
  return {
    observedGeneration: object.generation,
    ...(acceptedGeneration !== null && { acceptedGeneration }),
    ...(isServed && board && boardStatus(board)),
    conditions,
  };
}

function said(problem: string | null, isServed: boolean): string {
  if (problem === null) return "the spec is served";
  return isServed ? `the last good spec stays: ${problem}` : problem;
}

function condition(
  type: string,
  status: boolean,
  reason: string,
  sinceMs: number,
  message: string,
): PipelineStatusCondition {
  return {
    type,
    status: status ? "True" : "False",
    reason,
    message: message.slice(0, MOST_MESSAGE),
    lastTransitionTime: timeOf(sinceMs),
  };
}

function boardStatus({ mode, decisionId, planAtMs, plan, load, stages, reasons }: PipelineBoard): PipelineStatus {
  return {
    mode,
    ...(decisionId !== null && { decisionId }),
    ...(planAtMs !== null && { plannedAt: timeOf(planAtMs) }),
    ...(load && { loadRps: rounded(load.rateRps) }),
    ...(plan && {
      plannedRps: rounded(plan.rateRps),
      ...(plan.isAccuracyKnown && {
        accuracy: Number(plan.accuracy.toFixed(4)),
        effectiveAccuracy: Number(plan.effectiveAccuracy.toFixed(4)),
      }),
      cores: rounded(plan.cores),
      latencyMs: rounded(plan.latencyMs),
      feasible: plan.feasible,
      binding: plan.binding,
    }),
    reasons: [...reasons],
    stages: stages.map(({ stage, replicasNow, replicasGoal, replicasReady }) => {
      const planned = plan?.stages.find(other => other.stage === stage);
      return {
        name: stage,
        replicas: replicasNow,
        goalReplicas: replicasGoal,
        readyReplicas: replicasReady,
        ...(planned && { cores: rounded(planned.cores), latencyMs: rounded(planned.latencyMs) }),
        parts: (planned?.parts ?? []).map(({ variant, batch, replicas, share }) => ({
          variant,
          batch,
          replicas,
          share: Number(share.toFixed(4)),
        })),
      };
    }),
  };
}

/** What people act on: it is written soon after it changed, the rest now and then. */
export function significantPart({
  observedGeneration,
  acceptedGeneration,
  mode,
  accuracy,
  cores,
  feasible,
  stages,
  conditions,
}: PipelineStatus): unknown {
  return [
    [observedGeneration, acceptedGeneration, mode, accuracy, cores, feasible],
    stages?.map(({ name, replicas, goalReplicas, readyReplicas, parts }) => [
      name,
      replicas,
      goalReplicas,
      readyReplicas,
      parts,
    ]),
    conditions?.map(({ type, status, reason, message }) => [type, status, reason, type === "Accepted" ? message : ""]),
  ];
}

/** Three digits: what changes less is no news. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
