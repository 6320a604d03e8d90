import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import type { Assignment } from "../domain/assignment.ts";
import type { StageConfiguration } from "../domain/configuration.ts";
import type { Plan, Reason } from "../domain/plan.ts";
import type { CombinationAccuracy } from "./accuracy-drift.ts";
import type { Condition } from "./board.ts";
import type { RowEvidence } from "./rows/learn-rows.ts";
import type { ServedOther } from "./served.ts";

export interface Demand {
  readonly atMs: number;
  readonly rateRps: number;
  /** Of a load that has outrun its forecast: the rate that it goes on to, which there are to be replicas for. Missing: it goes on to no other. */
  readonly risenRps?: number;
  /** The load as it was, without what may come. Missing: `rateRps`. */
  readonly nowRps?: number;
  /** Quantiles of the rate that was forecast, in the order of RATE_QUANTILES. Missing: all are `rateRps`. */
  readonly ratesRps?: readonly number[];
  /** Quantiles of the highest second that was forecast, without the chance of arrivals, in the order of QUANTILES. Missing: all are `rateRps`. */
  readonly peaksRps?: readonly number[];
}

/** Replicas by stage that an HPA's formula gave by itself. */
export interface Recommendation {
  readonly atMs: number;
  readonly replicas: Readonly<Record<string, number>>;
}

export interface Quarantine {
  readonly stage: string;
  readonly variant: string;
  readonly untilMs: number;
  readonly failures: number;
  readonly code: string;
  readonly message: string;
  /** Version of the refusal that was counted last, so that one refusal counts once. */
  readonly countedEpoch: number;
  readonly countedCounter: number;
}

/** A variant that pods have no model file of. */
export interface MissingVariant {
  readonly stage: string;
  readonly variant: string;
  /** When a switcher missed it last, and the pods that did. */
  readonly atMs: number;
  readonly pods: readonly string[];
}

/** A count that was asked for and is not there yet. */
export interface Growth {
  readonly atMs: number;
  /** What was asked for before, or is there by now. */
  readonly from: number;
  readonly replicas: number;
}

/** How replicas of one stage come to be. */
export interface Actuation {
  /** What KEDA was told last. */
  readonly replicas: number;
  /** Since when more replicas are wanted than are ready and none has come; null: they are all there. */
  readonly waitingSinceMs: number | null;
  /** Most replicas that were ready when `waitingSinceMs` was set. */
  readonly readyMost: number;
  /** Oldest first, rising. */
  readonly growth: readonly Growth[];
  /** Measured from asking for more replicas to having them, newest last. */
  readonly leadsMs: readonly number[];
  /** Replicas that were ready when the others were taken for stuck; null: none are. */
  readonly stuckAt: number | null;
  readonly stuckUntilMs: number;
  readonly stuckTimes: number;
}

/** A combination that serves for a short time, to see what its accuracy is. */
export interface Trial {
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Entry rate that it was found to serve within every constraint. */
  readonly rateRps: number;
  readonly configuration: Readonly<Record<string, StageConfiguration>>;
  /** Variants of the plan, by stage: a trial ends when they change. */
  readonly planned: Readonly<Record<string, string>>;
  /** Share of right answers that the plan is taken to give, and that this is taken to give and may give at best. */
  readonly plannedAccuracy: number;
  readonly accuracy: number;
  readonly mostAccuracy: number;
}

/** All that a tick needs to know of the ticks before it: plain JSON, persisted as it is. */
export interface ControlState {
  readonly schemaVersion: 1;
  /** Of the last tick; null: there was none. */
  readonly atMs: number | null;
  /** Decisions made so far. */
  readonly decisions: number;
  /** Assignment versions handed out in this epoch. */
  readonly counter: number;
  readonly epoch: number;
  readonly plan: Plan | null;
  readonly planReasons: readonly Reason[];
  readonly planAtMs: number | null;
  readonly decisionId: string | null;
  /** What the plan was made of, so that a change of it is planned for at once. */
  readonly planInputs: string;
  /** The demand that the plan's replicas are for; null: the plan's own rate. */
  readonly demandRps: number | null;
  /** The load as it is, or the rate that nine of ten are below, that a plan for what is expected counts with; null: it is for one rate. */
  readonly expectedRps: number | null;
  /** Of the hold window, oldest first: the newest, and those that were higher or lower than all after them. */
  readonly demands: readonly Demand[];
  /** Of the HPA's stabilisation window; empty where the policy is not `reactive`. */
  readonly recommendations: readonly Recommendation[];
  readonly lastArrivalMs: number | null;
  readonly quarantines: readonly Quarantine[];
  /** Planned without. */
  readonly missing: readonly MissingVariant[];
  readonly actuations: Readonly<Record<string, Actuation>>;
  readonly corrections: Readonly<Record<string, number>>;
  /** Batches of each pod that the corrections were learnt from, cumulative, by stage and pod. */
  readonly timedBatches: Readonly<Record<string, number>>;
  /** Plans are for so many times the load, as less is answered in time than they say; from 1 on. */
  readonly attainmentFactor: number;
  /** Since when the plan is for the load as it is and its replicas are there; null: it is not. */
  readonly asPlannedSinceMs: number | null;
  /** Rows that were seen of each stage. */
  readonly rowEvidence: Readonly<Record<string, RowEvidence>>;
  /** Fan-out that plans are made with over that of the file and its measurements, by stage; missing: 1. */
  readonly rowFactors: Readonly<Record<string, number>>;
  /** Cumulative rows by stage and pod: [served, dropped]. */
  readonly rowsSeen: Readonly<Record<string, readonly [number, number]>>;
  /** Cumulative rows that each variant served, by stage and pod. */
  readonly variantRows: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Time of the load sample up to which rows were held against requests; null: none. */
  readonly rowsLoadAtMs: number | null;
  /** What each variant was at the last tick, by `stage/variant`: its file's SHA-256, or where another server has it. */
  readonly models: Readonly<Record<string, string>>;
  /** What answers of late say of accuracy, by combination of variants. */
  readonly evidence: readonly AccuracyEstimate[];
  /** Of every combination that served, what was known when most was; the evidence that plans are made with where there are trials. */
  readonly remembered: readonly AccuracyEstimate[];
  /** What is tried now; null: nothing. */
  readonly trial: Trial | null;
  /** When the last trial began; null: there was none. */
  readonly trialAtMs: number | null;
  /** Trials so far. */
  readonly trials: number;
  /** Newest trials in a row that replicas did not carry to their end. */
  readonly trialFailures: number;
  /** Accuracies that plans are made with; empty: those that were measured. */
  readonly accuracies: readonly CombinationAccuracy[];
  /** Newest assignment, by stage and pod. */
  readonly assignments: Readonly<Record<string, Assignment>>;
  readonly conditions: readonly Condition[];
  /** Null while replicas serve what is planned. */
  readonly servedOther: ServedOther | null;
}

export function initialState(epoch: number): ControlState {
  return {
    schemaVersion: 1,
    atMs: null,
    decisions: 0,
    counter: 0,
    epoch,
    plan: null,
    planReasons: [],
    planAtMs: null,
    decisionId: null,
    planInputs: "",
    demandRps: null,
    expectedRps: null,
    demands: [],
    recommendations: [],
    lastArrivalMs: null,
    quarantines: [],
    missing: [],
    actuations: {},
    corrections: {},
    timedBatches: {},
    attainmentFactor: 1,
    asPlannedSinceMs: null,
    rowEvidence: {},
    rowFactors: {},
    rowsSeen: {},
    variantRows: {},
    rowsLoadAtMs: null,
    models: {},
    evidence: [],
    remembered: [],
    trial: null,
    trialAtMs: null,
    trials: 0,
    trialFailures: 0,
    accuracies: [],
    assignments: {},
    conditions: [],
    servedOther: null,
  };
}

/** Key of a pod in the state's records; stage names hold no `/`. */
export function podKey(stage: string, pod: string): string {
  return `${stage}/${pod}`;
}
