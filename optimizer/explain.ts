import { type Configuration, mainPart, type Part, replicasOf } from "../domain/configuration.ts";
import type { Likely } from "../domain/load.ts";
import type { Objective } from "../domain/pipeline-schema.ts";
import { configurationOf, type Plan, type PlannedMix, type StagePlan } from "../domain/plan.ts";
import type { TimeLimit } from "./effort.ts";
import { evaluate } from "./evaluate.ts";
import { expectMix, expectRate, expectValue, mixesVariants, planForExpected } from "./mix/expected-value.ts";
import { valuePlan } from "./mix/search-mix.ts";
import { optimize } from "./optimize.ts";
import type { Problem } from "./problem.ts";

export const PRICED = ["accuracy", "slo", "load", "cores", "replica"] as const;

/** What one step of something costs or gives: the best plan with it against the best without it, or against the cheapest that is as accurate. */
export interface Price {
  /**
   * `accuracy`: one point more of it, at the least cost. `slo`: a tenth less of the time, at the least cost for the same accuracy.
   * `load`: a tenth more of it. `cores`: one replica's worth less of them. `replica`: one more of the stage where that is worth most by its cores, with the same
   * variants and over the rates that may come; its accuracy is the share of all requests that are right.
   */
  readonly of: (typeof PRICED)[number];
  /** The stage that has one replica more. */
  readonly stage?: string;
  /** By how much it was changed: a share, ms, rps, cores, or the cores of the replica. */
  readonly step: number;
  /** False: no plan has it, and the differences are those of the least bad one. */
  readonly feasible: boolean;
  readonly cores: number;
  readonly replicas: number;
  readonly accuracy: number;
  readonly latencyMs: number;
}

/** What a stage serves otherwise than before. */
export interface StageChange {
  readonly stage: string;
  /** Its parts; none: nothing. */
  readonly from: readonly Part[];
  readonly to: readonly Part[];
}

export interface Explanation {
  readonly prices: readonly Price[];
  /** Against the problem's current configuration; empty where there is none. */
  readonly changes: readonly StageChange[];
  /** What the current configuration would give now; null: there is none. */
  readonly current: Plan | null;
  /** How the replicas serve 1.5, 2 and 3 times the plan's rate, as far as the planned variants don't serve all of it. */
  readonly atMore: readonly MixAtRate[];
}

export interface MixAtRate extends PlannedMix {
  readonly rateRps: number;
}

/**
 * Why a plan is as it is: what a little more or less of each thing would cost, and what has changed and for what.
 *
 * @param limit of each plan that is made for it.
 * @param likely the rates that may come; null: they are not known. With them a plan for what is expected has the price of a replica alone.
 */
export function explain(
  problem: Problem,
  plan: Plan,
  limit: TimeLimit | null = null,
  likely: Likely | null = null,
): Explanation {
  const { current } = problem;
  const isExpected = likely !== null && plan.reasons.includes("expected");
  return {
    prices: [
      ...(isExpected ? [] : listPricesAtRate(problem, plan, limit)),
      ...(likely ? replicaPrice(problem, plan, likely) : []),
    ],
    changes: current ? changesOf(current, plan) : [],
    current: current && ((isExpected && expectPlan(problem, current, likely)) || evaluate(problem, current)),
    atMore: listMixesAtMore(problem, plan),
  };
}

/** Plans for what is expected are not for their rate alone, so that other plans for it say nothing of what a step would cost them. */
function listPricesAtRate(problem: Problem, plan: Plan, limit: TimeLimit | null): readonly Price[] {
  const best = bestOf(problem, plan, limit);
  return [
    ...accuracyPrice(problem, plan, best, limit),
    ...sloPrice(problem, plan, best, limit),
    ...loadPrice(problem, best, limit),
    ...coresPrice(problem, best, limit),
  ];
}

function expectPlan(problem: Problem, configuration: Configuration, likely: Likely): Plan | null {
  const valued = valuePlan(problem, configuration, likely);
  return valued && planForExpected(problem, valued.plan, valued.mix);
}

function listMixesAtMore(problem: Problem, plan: Plan): readonly MixAtRate[] {
  if (!mixesVariants(problem) || !(plan.rateRps > 0)) return [];
  return MORE.map(times => ({ rateRps: times * plan.rateRps }))
    .map(({ rateRps }) => ({ rateRps, ...expectMix(problem, plan, expectRate(rateRps)) }))
    .filter(mix => !mix.isAsPlanned);
}

/** A share of right answers that is less is not worth a replica. */
const LEAST_GAIN = 1e-4;
/** Times the rate of a plan for which it is told what its replicas serve. */
const MORE = [1.5, 2, 3];

const POINT = 0.01;
const TENTH = 0.1;
/** Cost decides; accuracy only between plans that cost the same. */
const LEAST_COST: Objective["weights"] = { accuracy: 1e-6, cost: 1, batch: 1e-9, switch: 0 };
/** Accuracies that are measured are compared with this much room. */
const ROOM = 1e-9;

/** The plan, or the better one that it was taken in the place of: what is held, or is there for a rise, is no part of a price. */
function bestOf(problem: Problem, plan: Plan, limit: TimeLimit | null): Plan {
  if (plan.optimal || !plan.feasible) return plan;
  const best = optimize({ ...problem, runnerUp: false }, limit);
  // A search that ends before its proof may have found less than the plan's own.
  return best.optimal || (best.feasible && best.objective >= plan.objective) ? best : plan;
}

function accuracyPrice(problem: Problem, plan: Plan, best: Plan, limit: TimeLimit | null): Price[] {
  const minAccuracy = plan.accuracy + POINT;
  if (minAccuracy > 1) return [];
  const other = cheapest(problem, minAccuracy, limit);
  return [priceOf("accuracy", POINT, asCheapAs(problem, plan, best, limit), other, minAccuracy)];
}

function sloPrice(problem: Problem, plan: Plan, best: Plan, limit: TimeLimit | null): Price[] {
  const { slo } = problem.pipeline;
  const tight = { ...problem.pipeline, slo: { ...slo, latencyMs: (1 - TENTH) * slo.latencyMs } };
  const minAccuracy = plan.accuracy - ROOM;
  const other = cheapest({ ...problem, pipeline: tight }, minAccuracy, limit);
  return [priceOf("slo", -TENTH * slo.latencyMs, asCheapAs(problem, plan, best, limit), other, minAccuracy)];
}

function loadPrice(problem: Problem, plan: Plan, limit: TimeLimit | null): Price[] {
  if (!(plan.rateRps > 0)) return [];
  const rateRps = (1 + TENTH) * plan.rateRps;
  return [priceOf("load", TENTH * plan.rateRps, plan, optimize({ ...problem, rateRps }, limit))];
}

function coresPrice(problem: Problem, plan: Plan, limit: TimeLimit | null): Price[] {
  const shapes = plan.stages.flatMap(stage => (replicasOf(stage) > 0 ? [stage.cores / replicasOf(stage)] : []));
  if (shapes.length === 0) return [];
  const step = Math.min(...shapes);
  const objective = { ...problem.pipeline.objective, maxCores: Math.max(1e-9, plan.cores - step) };
  const other = optimize({ ...problem, pipeline: { ...problem.pipeline, objective } }, limit);
  return [priceOf("cores", -step, plan, other)];
}

function replicaPrice(problem: Problem, plan: Plan, likely: Likely): Price[] {
  if (!mixesVariants(problem)) return [];
  const findRight = (stages: readonly StagePlan[]): number => {
    const { accuracy, served } = expectValue(problem, { ...plan, stages }, likely);
    return accuracy * served;
  };
  const right = findRight(plan.stages);
  const prices = plan.stages.flatMap(({ stage, cores, ...own }): Price[] => {
    if (replicasOf(own) === 0 || !mayGrow(problem, stage, replicasOf(own))) return [];
    const step = cores / replicasOf(own);
    const accuracy = findRight(plan.stages.map(other => (other.stage === stage ? addReplica(other) : other))) - right;
    return [{ of: "replica", stage, step, feasible: true, cores: step, replicas: 1, accuracy, latencyMs: 0 }];
  });
  const worth = prices.filter(({ accuracy }) => accuracy >= LEAST_GAIN);
  return worth.toSorted((a, b) => b.accuracy / b.cores - a.accuracy / a.cores).slice(0, 1);
}

/** Whether a stage may have one replica more, cores aside. */
function mayGrow({ pipeline, bounds, pins }: Problem, name: string, replicas: number): boolean {
  const most = Math.min(
    bounds[name]?.max ?? Number.POSITIVE_INFINITY,
    pipeline.stages.find(stage => stage.name === name)?.replicas.max ?? 0,
  );
  return replicas < most && pins.every(pin => pin.stage !== name || pin.replicas === null);
}

function addReplica(stage: StagePlan): StagePlan {
  const main = mainPart(stage);
  return {
    ...stage,
    parts: stage.parts.map(part => (part === main ? { ...part, replicas: part.replicas + 1 } : part)),
  };
}

/** What prices at the least cost are compared with: the plan may have replicas beyond it, for requests that would be late or for a rise. */
function asCheapAs(problem: Problem, plan: Plan, best: Plan, limit: TimeLimit | null): Plan {
  const least = cheapest(problem, plan.accuracy - ROOM, limit);
  const isAsAccurate = (other: Plan) => other.feasible && Math.abs(other.accuracy - plan.accuracy) <= 2 * ROOM;
  return [least, best].find(isAsAccurate) ?? plan;
}

/** The cheapest plan of a policy's choices that is at least so accurate, whatever they are worth to it; a policy with a soft SLO does not know of the least accuracy. */
export function cheapest(problem: Problem, minAccuracy: number, limit: TimeLimit | null = null): Plan {
  const objective = { ...problem.pipeline.objective, minAccuracy };
  return optimize({ ...problem, weights: LEAST_COST, pipeline: { ...problem.pipeline, objective } }, limit);
}

function priceOf(of: Price["of"], step: number, plan: Plan, other: Plan, minAccuracy = 0): Price {
  return {
    of,
    step,
    feasible: other.feasible && other.accuracy >= minAccuracy - ROOM,
    cores: other.cores - plan.cores,
    replicas: allReplicas(other.stages) - allReplicas(plan.stages),
    accuracy: other.accuracy - plan.accuracy,
    latencyMs: other.latencyMs - plan.latencyMs,
  };
}

function allReplicas(stages: readonly StagePlan[]): number {
  return stages.reduce((sum, stage) => sum + replicasOf(stage), 0);
}

function changesOf(current: Configuration, plan: Plan): StageChange[] {
  const goal = configurationOf(plan);
  return plan.stages.flatMap(({ stage }) => {
    const [before, after] = [current[stage], goal[stage]];
    if (JSON.stringify(before?.parts) === JSON.stringify(after?.parts)) return [];
    return [{ stage, from: before?.parts ?? [], to: after?.parts ?? [] }];
  });
}
