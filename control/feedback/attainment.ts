import { isBelow } from "../../domain/load-report.ts";
import type { Stage } from "../../domain/pipeline.ts";
import { POLICIES } from "../../optimizer/policies.ts";
import type { ControlState } from "../control-state.ts";
import { SETTINGS } from "../settings.ts";
import type { TickInput } from "../tick-input.ts";
import { readyCount } from "../transition.ts";

/** Why fewer requests are in time than the SLO asks for. */
export interface Missed {
  /** CamelCase, for machines. */
  readonly cause: string;
  readonly advice: string;
}

const MEASURE =
  "look for requests that fail, for what takes time beside the models (network, gateway), or measure anew with `variscale profile`";
const NOT_FEASIBLE: Missed = {
  cause: "PlanInfeasible",
  advice: "no plan meets every constraint; `variscale plan` shows what binds",
};

/** After a longer pause a tick counts as this. */
const MOST_ELAPSED_MS = 5000;
/** Requests of this time are judged: before the plan has been in place for as long, some of them are from before it. */
const WINDOW_MS = 10_000;

type Learnt = Pick<ControlState, "attainmentFactor" | "asPlannedSinceMs">;

/**
 * Finds how many times the load plans are to be for. The factor rises while fewer requests than the SLO asks for are answered in time although the
 * plan says that they are: then stages carry less than what was measured of them says, for a reason that their service times don't show.
 * It is left as it is while requests are late and the plan promises nothing (it is for a lower load) or is not in place yet; else it falls slowly,
 * also where no plan meets every constraint any more, as more is no help then.
 *
 * Worked: with an SLO of 99 % and 1,000 requests in ten seconds, 20 late ones are more than chance makes of 10; in 25 s plans are for a quarter more.
 */
export function learnAttainment(state: ControlState, input: TickInput, nowMs: number): Learnt {
  const { attainmentFactor, atMs, plan } = state;
  const asPlannedSinceMs = isAsPlanned(state, input) ? (state.asPlannedSinceMs ?? nowMs) : null;
  if (!isFedBack(input)) return { attainmentFactor: 1, asPlannedSinceMs };
  const recent = input.lastMinute?.recent;
  const isMissed = recent !== undefined && isBelow(recent, input.pipeline.slo.quantile) && plan?.feasible !== false;
  const isInPlace = asPlannedSinceMs !== null && nowMs - asPlannedSinceMs >= WINDOW_MS;
  if (atMs === null || (isMissed && !isInPlace)) return { attainmentFactor, asPlannedSinceMs };
  const seconds = Math.min(MOST_ELAPSED_MS, Math.max(0, nowMs - atMs)) / 1000;
  const perSecond = isMissed ? SETTINGS.attainmentRise : -SETTINGS.attainmentFall;
  const factor = attainmentFactor + perSecond * seconds;
  return { attainmentFactor: Math.min(SETTINGS.attainmentMost, Math.max(1, factor)), asPlannedSinceMs };
}

/** Whether plans of the pipeline's policy are corrected by how requests did. An HPA looks at the load alone, and the literature's policies at their model. */
function isFedBack({ pipeline }: TickInput): boolean {
  const { ladder, replicas, slo } = POLICIES[pipeline.objective.policy];
  return ladder && slo === "hard" && replicas !== "hpa";
}

/** Whether the plan says that requests are in time now: it meets every constraint, is for this load, and its replicas are there. */
function isAsPlanned({ plan, demandRps, actuations, trial }: ControlState, input: TickInput): boolean {
  const { forecast, mode, pipeline } = input;
  if (!plan?.feasible || !forecast || trial || mode === "shadow") return false;
  if (forecast.reactiveRps > Math.max(plan.rateRps, demandRps ?? 0)) return false;
  return !pipeline.stages.some(stage => isMissing({ actuations }, input, stage));
}

/** Whether fewer replicas of a stage are ready than were asked for. */
function isMissing({ actuations }: Pick<ControlState, "actuations">, input: TickInput, stage: Stage): boolean {
  return readyCount(input, stage) < (actuations[stage.name]?.replicas ?? 1);
}

/** Whether it is far enough from 1 to be a reason. */
export function isAttainmentTold({ attainmentFactor }: Pick<ControlState, "attainmentFactor">): boolean {
  return attainmentFactor >= SETTINGS.attainmentTold;
}

/** Explains why requests are late, as far as it is known, and what is done about it or is to be done; null before the first plan. */
export function explainMissed(state: ControlState, input: TickInput): Missed | null {
  const { plan, demandRps, attainmentFactor } = state;
  const { forecast, pipeline } = input;
  if (!plan) return null;
  if (!plan.feasible) return NOT_FEASIBLE;
  const missing = pipeline.stages.filter(stage => isMissing(state, input, stage)).map(({ name }) => name);
  if (missing.length > 0)
    return {
      cause: "ReplicasMissing",
      advice: `not all replicas of ${missing.join(", ")} that were asked for are ready`,
    };
  const mostRps = Math.max(plan.rateRps, demandRps ?? 0);
  if (forecast && forecast.reactiveRps > SETTINGS.surgeFactor * mostRps)
    return {
      cause: "LoadAbovePlan",
      advice: "more requests come than there are replicas for; the next plan is for them",
    };
  const more = isAttainmentTold(state) ? `; plans are for up to ${SETTINGS.attainmentMost} times the load` : "";
  const most = attainmentFactor >= SETTINGS.attainmentMost ? ", which they are now" : "";
  return { cause: "PlanFailed", advice: `the plan says that they are in time${more}${most}; ${MEASURE}` };
}
