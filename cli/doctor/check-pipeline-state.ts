import { z } from "zod";
import { BAD_WHEN_TRUE } from "../../control/board.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const condition = z.looseObject({ type: z.string(), status: z.boolean(), message: z.string().default("") });

/** What the checks read of `GET /api/v1/pipelines/{namespace}/{name}`. */
export const pipelineStateSchema = z.looseObject({
  mode: z.string(),
  board: z
    .looseObject({
      load: z.looseObject({ rateRps: z.number() }).nullish(),
      conditions: z.array(condition),
    })
    .nullish(),
  switchers: z.array(z.looseObject({ softwareVersion: z.string() })),
  // By stage; scalers of earlier versions do not say.
  serviceAccounts: z.record(z.string(), z.array(z.string())).default({}),
  processConditions: z.array(condition),
});

export type PipelineState = z.output<typeof pipelineStateSchema>;

const OF_SOURCE = ["LoadSourceAnswering", "MetricsAvailable", "LoadSourceWithoutWarnings"];
/** Other checks tell of these by what they look at. */
const TOLD_ELSEWHERE = new Set([...OF_SOURCE, "ActuationExact", "Ready"]);

const RIGHTS =
  "where the API server refuses it, give the scaler its rights: `variscale manifests` writes them; else see why it can't be reached";
const VOLUME = "give it a volume at --state-dir that it may write, with room";

const FIXES: Readonly<Record<string, string>> = {
  Accepted: "correct what describes the pipeline: it is taken as soon as it is right",
  PlanFeasible: "`variscale plan` shows what binds: allow more replicas or cores, or a later SLO",
  VariantsFit: "set the `memoryMiB` that it names, or remove the variants",
  ActuationStuck: "see `pods`, `rollout`, `paused` and `keda-operator`",
  AccuracyDrifted: "`variscale explain`, and newer models; the plan is made with the estimate",
  VariantsUsable: "mend what it names (file, hash, memory): the variant is tried again by itself",
  ServedAsPlanned:
    "`variscale top` shows both; see what it names: a pin in a pod, a model that can't be loaded, or a switch that takes long",
  SloMissed:
    "`variscale explain`, and `variscale_service_time_correction_ratio`: measure on these machines, or allow more replicas or cores",
  KubernetesWatched: RIGHTS,
  EventsWritten: RIGHTS,
  StatusWritten: RIGHTS,
  LeaderKnown: RIGHTS,
  BoardShared: RIGHTS,
  ScaledObjectsFound: "`variscale manifests` writes the ScaledObjects",
  StateSaved: VOLUME,
  HistorySaved: VOLUME,
  AuditLogWritten: VOLUME,
  ForecastNetworkComputed:
    "forecasts go on without their network: see the scaler's log for what its thread ends with, often too little memory",
  StateUsable:
    "where a newer version wrote it, run that again; else report it with the file that it names. The condition ends with the scaler's process",
  TakenOver: "set its pins, mode and tuning again, where there were any",
  CertificatesCurrent: "write tls.crt, tls.key and ca.crt anew from one issuance",
};

/** Whether the load of a pipeline comes, and what else its scaler complains of. */
export function checkPipelineState(state: PipelineState, where: string): readonly Finding[] {
  const conditions = [...(state.board?.conditions ?? []), ...state.processConditions];
  return [checkSource(state, conditions, where), ...checkConditions(conditions, where)];
}

function checkSource(
  { board }: PipelineState,
  conditions: readonly z.output<typeof condition>[],
  where: string,
): Finding {
  const bad = OF_SOURCE.map(type => conditions.find(one => one.type === type)).find(one => one?.status === false);
  if (bad?.type === "LoadSourceWithoutWarnings")
    return warn("metrics-source", where, bad.message, "see docs/load-sources.md; the plan is made all the same");
  if (bad)
    return fail(
      "metrics-source",
      where,
      `no load comes: ${bad.message}`,
      "check the source that --load-source names, the pipeline's `load`, and that NetworkPolicies let the scaler out to it",
    );
  if (!board)
    return warn("metrics-source", where, "has no decision yet", "wait for the first tick; see the scaler's log");
  if (!board.load) return warn("metrics-source", where, "the source answers, and no load came yet", "send requests");
  return ok("metrics-source", where, `load comes: ${board.load.rateRps.toFixed(1)} requests a second`);
}

function checkConditions(conditions: readonly z.output<typeof condition>[], where: string): Finding[] {
  const bad = conditions.filter(
    ({ type, status }) => !TOLD_ELSEWHERE.has(type) && status === BAD_WHEN_TRUE.includes(type),
  );
  if (bad.length === 0) return [ok("conditions", where, "the scaler complains of nothing")];
  return bad.map(({ type, message }) =>
    warn("conditions", where, `${type}: ${message}`, FIXES[type] ?? "see the scaler's log"),
  );
}
