import { type Configuration, mainPart, type StageConfiguration } from "./configuration.ts";

/** Why a decision is as it is: a closed set, one word in logs, metrics and explanations. */
export const REASONS = [
  /** The best configuration for the forecast. */
  "optimal",
  /** The best configuration that was found over the rates that may come, by what its replicas serve of each. */
  "expected",
  /** No configuration meets every constraint; this is the least bad one and it sheds load. */
  "infeasible",
  /** The search ended before it was proven that no configuration is better. */
  "unproven",
  /** Other variants would gain less than they are changed for. */
  "held_gain",
  /** The demand is higher for a moment, which the current variants live through. */
  "held_excursion",
  /** Fewer replicas would do, but not for long enough yet. */
  "held_scale_down",
  /** No usable load data: the last plan stays. */
  "held_no_data",
  /** The reactive estimate was above the forecast and is what was planned for. */
  "floor_reactive",
  /** The load has outrun its forecast, within the hold window: there are replicas for what it goes on to. */
  "rising",
  /** The load has fallen below what may come: there are replicas for that, and variants for the load as it is. */
  "ahead",
  /** Fewer requests were answered in time than plans said: they are for more than the load. */
  "slo_missed",
  "capped_step",
  "capped_max_replicas",
  "capped_cores",
  /** A pin of an operator or of a switcher's admin endpoint. */
  "pinned",
  /** Weights, forecast quantile, pins or the way of serving were set for a while in the place of the file's and the loop's own. */
  "tuned",
  /** A variant failed to load and is left out for a while. */
  "quarantined",
  /** Pods have no model file of a variant, which is left out as long. */
  "not_installed",
  /** Accuracy has drifted, and a combination of variants that may be better serves for half a minute, to see. */
  "trial",
  /** Replicas stay until what is planned with fewer of them is served. */
  "make_before_break",
  "actuation_stuck",
  /** The live HPA leaves small changes undone: the next count that it goes to is asked for. */
  "hpa_tolerance",
  "shadow",
] as const;

export type Reason = (typeof REASONS)[number];

/** The constraint that the plan touches: with more of it the objective would be higher. */
export const BINDINGS = ["slo", "cores", "cost", "minAccuracy", "maxReplicas", "utilisation", "none"] as const;
export type Binding = (typeof BINDINGS)[number];

export interface StagePlan extends StageConfiguration {
  readonly stage: string;
  /** Replicas × the stage's shape. */
  readonly cores: number;
  /** Predicted, at the SLO's quantile. */
  readonly latencyMs: number;
}

export interface RunnerUp {
  readonly stages: readonly StagePlan[];
  readonly objective: number;
  readonly accuracy: number;
  readonly cores: number;
  readonly latencyMs: number;
}

/** A variant that serves a part of a stage's rows. */
export interface VariantShare {
  readonly variant: string;
  /** From 0 to 1; all shares of a stage add up to 1. */
  readonly share: number;
}

/** The variants by which replicas serve a plan, where they go lighter batch by batch, as a mean over requests. */
export interface PlannedMix {
  /** Share of right answers among all that are given. */
  readonly accuracy: number;
  /** Whether the accuracy of all variants that serve is known; one that is not counts as always right. */
  readonly isAccuracyKnown: boolean;
  /** Whether hardly anything else than the planned variants serves, and hardly a request is not in time. */
  readonly isAsPlanned: boolean;
  /** Share of the requests that some variant has time for. */
  readonly served: number;
  /** By stage, the most accurate variant first. */
  readonly stages: readonly { readonly stage: string; readonly shares: readonly VariantShare[] }[];
}

/** A Configuration for a rate, with what it is predicted to give. */
export interface Plan {
  /** False: no configuration meets every constraint, and this is the least bad one. */
  readonly feasible: boolean;
  /** Entry rate that it was made for; of a plan for what is expected the highest that counts as likely, most of which lighter variants may serve. */
  readonly rateRps: number;
  readonly stages: readonly StagePlan[];
  /** Share of answered items that are right at the end, 0 to 1. */
  readonly accuracy: number;
  /** Whether the accuracy of all its variants is known; one that is not counts as always right, so that `accuracy` says nothing. */
  readonly isAccuracyKnown: boolean;
  /** accuracy × P[latency within the SLO], requests that are shed counted as wrong. */
  readonly effectiveAccuracy: number;
  readonly cores: number;
  readonly costPerHour: number | null;
  /** End to end, at the SLO's quantile. */
  readonly latencyMs: number;
  readonly objective: number;
  /** Proven best under the model, of the counts of replicas that are looked at: where latency is a distribution not of all. */
  readonly optimal: boolean;
  /** Upper bound on what is lost against the best of those, in units of the objective. */
  readonly gap: number;
  /** Entry rate that it can't serve; 0 when feasible. */
  readonly shedRps: number;
  readonly reasons: readonly Reason[];
  readonly binding: Binding;
  readonly runnerUp: RunnerUp | null;
  /** Over the rates that may come; missing: they are not known, or replicas serve the planned variants alone. */
  readonly mix?: PlannedMix;
}

export function configurationOf(plan: Plan): Configuration {
  return Object.fromEntries(plan.stages.map(stage => [stage.stage, { parts: stage.parts }]));
}

/** The variant that a plan has most rows of each stage served by, by stage; of no plan there is none. */
export function findMainVariants(plan: Plan | null): Readonly<Record<string, string>> {
  return Object.fromEntries((plan?.stages ?? []).map(own => [own.stage, mainPart(own)?.variant ?? ""]));
}
