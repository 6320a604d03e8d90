import type { Plan, Reason, RunnerUp } from "../domain/plan.ts";
import { fewestReplicasTake, mostServable } from "./capacity.ts";
import { type Deadline, deadlineOf, type TimeLimit } from "./effort.ts";
import { leastFrom } from "./least-totals.ts";
import { searchPlain } from "./plain-search.ts";
import { brokenBy, effectiveAccuracyOf, objectiveOf, planOf } from "./plan-of.ts";
import { type Prediction, predict, type ServedPart } from "./predict.ts";
import type { Problem } from "./problem.ts";
import { atRate, type Scope, scopeOf } from "./scope.ts";
import type { Candidate, SearchResult } from "./search-state.ts";
import { searchVariants } from "./variant-search.ts";

/**
 * The best plan for a problem: for every stage a variant, a batch size that was measured, and replicas (from the fewest that
 * serve the load within the utilisation, as long as more shorten the latency). Proven best (`optimal`, gap 0), unless the
 * problem is too large for the search's budget of work, or for the time limit that takes its place; then `gap` is a proven bound. With a limit,
 * a first quick search is always made; without one, a problem has the same plan on every machine.
 *
 * Where no choice meets every constraint the plan is the least bad one: as much load as replicas, cores, cost and utilisation
 * allow is served, and for that load the effective accuracy is as high as it gets, SLO and least accuracy missed or not. A
 * problem that is too large may end here too although a feasible plan exists; `optimal` is false then.
 *
 * `binding` is the constraint that stopped the candidate whose objective could have been highest; `none` when no constraint
 * stopped a better one. Never throws.
 */
export function optimize(problem: Problem, limit: TimeLimit | null = null): Plan {
  const deadline = deadlineOf(limit);
  const scope = scopeOf(problem);
  const isPlannable = scope.stages.every(stage => stage.plannable);
  const found = isPlannable ? search(scope, scope.policy.slo, deadline) : null;
  if (found?.best) return feasiblePlan(scope, found, found.best);
  return leastBadPlan(scope, found, deadline);
}

/** Latencies that are distributions are searched for by branch and bound, plain numbers by labels; both are exact. */
function search(scope: Scope, slo: "hard" | "soft", deadline: Deadline | null): SearchResult {
  const found =
    scope.policy.latency === "queueing" ? searchVariants(scope, slo, deadline) : searchPlain(scope, slo, deadline);
  return scope.stages.every(({ isWhole }) => isWhole) ? found : withSetsLeft(scope, found);
}

/** Votes that were not looked at could be right on everything, for no more than the cheapest of all choices takes. */
function withSetsLeft(scope: Scope, found: SearchResult): SearchResult {
  const most = scope.problem.pipeline.objective.weights.accuracy - (leastFrom(scope)[0]?.price ?? 0);
  const leftBound = Math.max(found.leftBound, most);
  return { ...found, leftBound, isProven: found.isProven && found.best !== null && leftBound <= found.best.objective };
}

function feasiblePlan(scope: Scope, found: SearchResult, best: Candidate): Plan {
  return planOf(scope, predict(scope, servedBy(scope, best), best.variants), {
    feasible: true,
    reason: found.isProven ? "optimal" : "unproven",
    binding: found.binding,
    optimal: found.isProven,
    gap: found.isProven ? 0 : Math.max(0, found.leftBound - best.objective),
    runnerUp: runnerUpOf(scope, found, scope),
    servedRps: scope.rateRps,
  });
}

/** `hard`: the search that found no choice which meets every constraint; null: a stage can't be planned. */
function leastBadPlan(given: Scope, hard: SearchResult | null, deadline: Deadline | null): Plan {
  // What an HPA leaves undone is no reason to serve less.
  const scope = { ...given, stages: given.stages.map(stage => ({ ...stage, scaling: undefined })) };
  const capacity = mostServable(scope);
  const fewest = fewestReplicasTake(scope);
  const { problem } = scope;
  const objective = { ...problem.pipeline.objective, weights: LEAST_BAD };
  const relaxed: Scope = {
    ...atRate(scope, capacity.rateRps),
    problem: { ...problem, pipeline: { ...problem.pipeline, objective } },
    maxCores: Math.max(scope.maxCores, fewest.cores),
    maxCostPerHour: Math.max(scope.maxCostPerHour, fewest.costPerHour),
  };
  const found = search(relaxed, "soft", deadline);
  const served = atRate(scope, capacity.rateRps);
  const prediction = found.best
    ? predict(served, servedBy(scope, found.best), found.best.variants)
    : predict(served, servedAnyhow(scope));
  const effective = effectiveAccuracyOf(scope, prediction, capacity.rateRps);
  const isNone = hard === null || hard.isProven;
  const isProven = isNone && capacity.isProven && found.isProven && found.best !== null;
  const binding = capacity.limit === "none" ? brokenBy(scope, prediction) : capacity.limit;
  const isHeldByHpa = binding === "none" && given.stages.some(stage => stage.scaling !== undefined);
  const plan = planOf(scope, prediction, {
    feasible: false,
    reason: "infeasible",
    binding: isHeldByHpa ? "maxReplicas" : binding,
    optimal: isProven,
    gap: isProven ? 0 : mostGain(scope, prediction, effective),
    runnerUp: runnerUpOf(scope, found, served),
    servedRps: capacity.rateRps,
  });
  const reasons: Reason[] = [...plan.reasons];
  if (isHeldByHpa) reasons.push("hpa_tolerance");
  if (hard !== null && !isProven) reasons.push("unproven");
  return { ...plan, reasons };
}

/** Effective accuracy decides; fewer cores, smaller batches and fewer switches only between equals. */
const LEAST_BAD = { accuracy: 1, cost: 1e-6, batch: 1e-9, switch: 1e-7 };

function mostGain(scope: Scope, prediction: Prediction, effectiveAccuracy: number): number {
  return Math.max(
    0,
    scope.problem.pipeline.objective.weights.accuracy - objectiveOf(scope, prediction, effectiveAccuracy),
  );
}

function servedBy(scope: Scope, candidate: Candidate): ServedPart[][] {
  return scope.stages.map((stage, s) => {
    const option = candidate.options[s];
    const variant = stage.variants.find(({ name }) => name === candidate.variants[s]);
    if (!option || !variant) return [];
    if (option.parts) return option.parts.map((part, i) => ({ part, variant: variant.members[i]?.variant ?? variant }));
    const { batch, replicas } = option;
    return [{ part: { variant: variant.name, batch, replicas, share: 1 }, variant }];
  });
}

/** The fastest variants with all replicas: when the search found nothing at all. */
function servedAnyhow(scope: Scope): ServedPart[][] {
  return scope.stages.map(stage => {
    const alone = stage.variants.filter(({ members }) => members.length === 0);
    const [fastest] = alone.toSorted((a, b) => b.capacity - a.capacity);
    if (!fastest) return [];
    const replicas = stage.pinnedReplicas ?? stage.maxReplicas;
    return [{ part: { variant: fastest.name, batch: fastest.batches[0] ?? 1, replicas, share: 1 }, variant: fastest }];
  });
}

function runnerUpOf(scope: Scope, found: SearchResult, served: Scope): RunnerUp | null {
  if (!found.runnerUp) return null;
  const prediction = predict(served, servedBy(scope, found.runnerUp), found.runnerUp.variants);
  return {
    stages: prediction.stages,
    objective: objectiveOf(scope, prediction, effectiveAccuracyOf(scope, prediction, served.rateRps)),
    accuracy: prediction.accuracy,
    cores: prediction.cores,
    latencyMs: prediction.latencyMs,
  };
}
