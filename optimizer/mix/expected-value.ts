import { mainPart, replicasOf, type StageConfiguration } from "../../domain/configuration.ts";
import { type Likely, QUANTILES, RATE_QUANTILES } from "../../domain/load.ts";
import type { Objective } from "../../domain/pipeline-schema.ts";
import { findMainVariants, type Plan, type PlannedMix } from "../../domain/plan.ts";
import { isAccuracyKnown } from "../accuracy.ts";
import type { Problem } from "../problem.ts";
import { scopeOf } from "../scope.ts";
import { MIX_UTILISATION, type Mixed, MixModel, type Top } from "./mix-model.ts";
import { mayServeLighter } from "./rungs.ts";

/** A mix with less of another variant, or with fewer requests that are not in time, is as planned. */
const LEAST_TOLD = 0.0005;
/** A request that is missed costs so much more than one that is answered wrong, in answers. */
const MISS_WEIGHT = 1;

/** The worth of a plan over the rates that may come. */
export interface Expected extends PlannedMix {
  /** By the objective of the pipeline file, less what missed requests cost beside. */
  readonly value: number;
}

/**
 * Whether replicas have the cores to themselves that plans give them, and may serve lighter variants than those that are planned: what they serve
 * is known then for any rate.
 */
export function mixesVariants({ pipeline, limits, combine = {} }: Problem): boolean {
  return mayServeLighter(pipeline) && limits.machineCores === null && Object.keys(combine).length === 0;
}

/** One rate that comes for sure. */
export function expectRate(rateRps: number): Likely {
  return { ratesRps: RATE_QUANTILES.map(() => rateRps), peaksRps: QUANTILES.map(() => rateRps) };
}

/** The worth of right answers less that of missed ones, without what they cost. */
export function valueAnswers({ weights }: Objective, { accuracy, served }: Mixed): number {
  return weights.accuracy * (accuracy * served - MISS_WEIGHT * (1 - served));
}

/** Expects what a plan is worth: see expectMix(). */
export function expectValue(problem: Problem, plan: Plan, likely: Likely): Expected {
  // With the weights and the utilisation that the plan was made with.
  const { objective } = scopeOf(problem).problem.pipeline;
  // Replicas that can go no lighter are planned to carry no more: beyond that their requests would wait too long.
  const mix = expectMix(problem, plan, likely, objective.utilisation);
  const costs = objective.weights.accuracy * plan.effectiveAccuracy - plan.objective;
  return { ...mix, value: valueAnswers(objective, mix) - costs };
}

/**
 * Expects what replicas that mix variants batch by batch serve of a plan over the rates that may come: see MixModel.
 *
 * @param loneUtilisation share of the time that replicas are busy which can go no lighter.
 */
export function expectMix(problem: Problem, plan: Plan, likely: Likely, loneUtilisation = MIX_UTILISATION): PlannedMix {
  const { pipeline } = problem;
  const model = new MixModel(problem, likely, loneUtilisation);
  const tops = pipeline.stages.map(({ name }) => readTop(plan.stages.find(({ stage }) => stage === name)));
  const { accuracy, served } = model.measure(tops);
  const shares = model.listShares(tops);
  const stages = pipeline.stages.map(({ name }, s) => ({ stage: name, shares: shares[s] ?? [] }));
  const serving = shares.map(stage => stage.map(({ variant }) => variant));
  return {
    accuracy,
    isAccuracyKnown: isAccuracyKnown(pipeline, serving),
    isAsPlanned: 1 - served < LEAST_TOLD && isServedBy(stages, findMainVariants(plan)),
    served,
    stages,
  };
}

/** A plan for the problem's rate, as right and as much in time as it is expected to be over the rates that may come. */
export function planForExpected(problem: Problem, plan: Plan, { value, ...mix }: Expected): Plan {
  return {
    ...plan,
    rateRps: problem.rateRps,
    accuracy: mix.accuracy,
    isAccuracyKnown: mix.isAccuracyKnown,
    effectiveAccuracy: mix.accuracy * mix.served,
    objective: value,
    optimal: false,
    gap: Math.max(0, scopeOf(problem).problem.pipeline.objective.weights.accuracy - value),
    runnerUp: null,
    mix,
  };
}

/** Reads the planned variant that all replicas of a stage have. */
export function readTop(stage: StageConfiguration | undefined): Top {
  const main = stage && mainPart(stage);
  return main ? { ...main, replicas: replicasOf(stage) } : null;
}

function isServedBy(stages: PlannedMix["stages"], planned: Readonly<Record<string, string>>): boolean {
  return stages.every(({ stage, shares }) =>
    shares.every(({ variant, share }) => variant === planned[stage] || share < LEAST_TOLD),
  );
}
