import type { Configuration, Part } from "../domain/configuration.ts";
import type { Stage } from "../domain/pipeline.ts";
import type { Binding, Plan } from "../domain/plan.ts";
import { mayCombine, votesOf } from "./composite.ts";
import { brokenBy, effectiveAccuracyOf, objectiveOf, planOf, type Verdict } from "./plan-of.ts";
import { type Prediction, predict, predictConstrained, rowsOf, type ServedPart } from "./predict.ts";
import type { Combining, Problem } from "./problem.ts";
import { reachableCount } from "./reachable-count.ts";
import { atRate, type Scope, type ScopeStage, scopeOf } from "./scope.ts";
import { unprofiled, variantOf } from "./scope-variant.ts";
import { SLACK } from "./totals.ts";
import { isAmongSets } from "./vote-sets.ts";

/**
 * What a given configuration is predicted to give. Not feasible: it breaks a constraint of the problem, a bound, a pin or an
 * exclusion, has a count that the live HPA can't be brought to, or a stage serves what can't be predicted; `binding` is the first constraint that it breaks. A stage that the
 * configuration leaves out serves its default variant with the fewest replicas. `gap` is what the best possible plan could gain
 * at most: perfect accuracy at no cost. Never throws.
 */
export function evaluate(problem: Problem, configuration: Configuration): Plan {
  const scope = scopeOf(withSets(problem, configuration));
  const { served, capacity } = readingOf(scope, configuration);
  const servedRps = Math.min(scope.rateRps, capacity.rateRps);
  const isShort = servedRps < scope.rateRps;
  const prediction = predict(isShort ? atRate(scope, servedRps) : scope, served, namesOf(scope, served));
  const binding = isShort ? capacity.limit : brokenBy(scope, prediction);
  const isAllowed = prediction.isKnown && keepsAllRules(scope, served);
  const plan = planOf(scope, prediction, verdictOf(scope, prediction, servedRps, binding, isAllowed));
  const isReached = scope.stages.every((stage, s) => isReachable(stage, served[s] ?? []));
  return isReached ? plan : { ...plan, reasons: [...plan.reasons, "hpa_tolerance"] };
}

/** Whether `evaluate` finds the configuration feasible, without predicting what breaks a rule, has too many cores or is too little by the rate alone. */
export function isFeasible(problem: Problem, configuration: Configuration): boolean {
  const scope = scopeOf(withSets(problem, configuration));
  const { served, capacity } = readingOf(scope, configuration);
  return capacity.rateRps >= scope.rateRps && meetsAll(scope, served);
}

/**
 * Finds the highest entry rate, up to the scope's, that the planned variants of a configuration carry by themselves; null where they break a
 * constraint or a rule at it, or carry nothing.
 */
export function findCarried(scope: Scope, configuration: Configuration): number | null {
  const { served, capacity } = readingOf(scope, configuration);
  const rateRps = Math.min(scope.rateRps, capacity.rateRps);
  const isNothing = rateRps <= 0 && scope.rateRps > 0;
  return !isNothing && meetsAll(atRate(scope, rateRps), served) ? rateRps : null;
}

/** Whether replicas that carry the scope's rate meet every constraint and rule; what takes long is looked at last. */
function meetsAll(scope: Scope, served: readonly (readonly ServedPart[])[]): boolean {
  if (!keepsAllRules(scope, served)) return false;
  const cores = served.flat().reduce((sum, { part, variant }) => sum + part.replicas * variant.cores, 0);
  if (cores > scope.maxCores + SLACK) return false;
  const prediction = predictConstrained(scope, served, namesOf(scope, served));
  return prediction.isKnown && brokenBy(scope, prediction) === "none";
}

interface Reading {
  readonly served: readonly (readonly ServedPart[])[];
  readonly capacity: Capacity;
}

function readingOf(scope: Scope, configuration: Configuration): Reading {
  const served = scope.stages.map(stage => servedParts(scope.problem, stage, configuration));
  return { served, capacity: capacityOf(scope, served, rowsOf(scope, served)) };
}

function verdictOf(
  scope: Scope,
  prediction: Prediction,
  servedRps: number,
  binding: Binding,
  isAllowed: boolean,
): Verdict {
  const objective = objectiveOf(scope, prediction, effectiveAccuracyOf(scope, prediction, servedRps));
  const feasible = binding === "none" && isAllowed;
  return {
    feasible,
    reason: feasible ? null : "infeasible",
    binding,
    optimal: false,
    gap: Math.max(0, scope.problem.pipeline.objective.weights.accuracy - objective),
    runnerUp: null,
    servedRps,
  };
}

/** With the votes of the configuration among the sets that are looked at, whatever variants they are of. */
function withSets(problem: Problem, configuration: Configuration): Problem {
  const combine = problem.combine ?? votesOf(problem.pipeline);
  if (!mayCombine(problem.pipeline.objective.policy)) return { ...problem, combine: {} };
  const changed = problem.pipeline.stages.flatMap((stage): (readonly [string, Combining])[] => {
    const own = Object.hasOwn(combine, stage.name) ? combine[stage.name] : undefined;
    const set = own?.kind === "vote" ? setOf(votersIn(stage, configuration)) : [];
    if (own?.kind !== "vote" || set.length < 2 || isAmongSets(stage.variants, stage.votes?.measured ?? [], set))
      return [];
    return [[stage.name, { ...own, sets: [...(own.sets ?? []), set] }]];
  });
  return changed.length > 0 ? { ...problem, combine: { ...combine, ...Object.fromEntries(changed) } } : problem;
}

/** The parts of a stage, where all serve every row. */
function votersIn({ name }: Stage, configuration: Configuration): readonly Part[] {
  const parts = (Object.hasOwn(configuration, name) && configuration[name]?.parts) || [];
  return parts.length > 1 && parts.every(({ share }) => share === 1) ? parts : [];
}

/** What is more than this is as good as infinite; keeps sums and shares finite. */
const MOST = 1e12;

function servedParts(problem: Problem, stage: ScopeStage, configuration: Configuration): ServedPart[] {
  const given = (configuration[stage.stage.name]?.parts ?? []).map(part => ({
    ...part,
    share: Math.min(MOST, Math.max(0, part.share || 0)),
    batch: Math.min(MOST, Math.max(1, part.batch || 1)),
    replicas: Math.min(MOST, Math.max(0, part.replicas || 0)),
  }));
  const doVote =
    given.length > 1 && given.every(({ share }) => share === 1) && problem.combine?.[stage.stage.name]?.kind === "vote";
  const shares = doVote ? 1 : given.reduce((sum, part) => sum + part.share, 0);
  const fewest: Part = {
    variant: stage.stage.defaultVariant,
    batch: 1,
    replicas: Math.max(1, stage.minReplicas),
    share: 1,
  };
  const parts = given.length === 0 ? [fewest] : given.map(part => ({ ...part, share: shareOf(part, shares, given) }));
  return parts.map(part => ({
    part,
    variant: variantOf(problem, stage.stage, part.variant) ?? unprofiled(stage.stage, part.variant),
  }));
}

/** By stage the composite that parts which vote are, or the one variant that all of them serve; null: they do not vote. */
function namesOf(scope: Scope, served: readonly (readonly ServedPart[])[]): (string | null)[] {
  return scope.stages.map((stage, s) => {
    const parts = (served[s] ?? []).map(({ part }) => part);
    if (parts.length < 2 || !parts.every(({ share }) => share === 1)) return null;
    const [only, ...others] = setOf(parts);
    if (only !== undefined && others.length === 0) return only;
    const key = setOf(parts).join();
    const composite = stage.variants.find(
      ({ members }) => members.every(({ share }) => share === 1) && setOf(members.map(memberOf)).join() === key,
    );
    return composite?.name ?? null;
  });
}

function memberOf({ variant }: { readonly variant: { readonly name: string } }): { readonly variant: string } {
  return { variant: variant.name };
}

/** The same for the same variants in any order. */
function setOf(members: readonly { readonly variant: string }[]): string[] {
  return [...new Set(members.map(({ variant }) => variant))].sort();
}

function shareOf(part: Part, shares: number, all: readonly Part[]): number {
  return shares > 0 ? part.share / shares : 1 / all.length;
}

interface Capacity {
  /** Highest entry rate that stays within the objective's utilisation at every part and on the machine. */
  readonly rateRps: number;
  readonly limit: Binding;
}

function capacityOf(scope: Scope, served: readonly (readonly ServedPart[])[], rows: readonly number[]): Capacity {
  const { pipeline, limits } = scope.problem;
  const { utilisation } = pipeline.objective;
  let rateRps = Number.POSITIVE_INFINITY;
  let limit: Binding = "none";
  let workMs = pipeline.overhead.cpuMs;
  scope.stages.forEach(({ maxReplicas, othersRps }, s) => {
    const replicas = served[s]?.reduce((sum, { part }) => sum + part.replicas, 0) ?? 0;
    for (const { part, variant } of served[s] ?? []) {
      const load = (rows[s] ?? 0) * part.share;
      if (load <= 0) continue;
      const msPerRow = variant.service.meanMs(part.batch) / part.batch;
      workMs += load * msPerRow * variant.cores;
      // A rounding's worth more, so that what the search chose at exactly this utilisation is not short.
      const capacityRps = (1000 * utilisation * part.replicas * (1 + 1e-9)) / msPerRow;
      const most = Math.max(0, capacityRps - othersRps * part.share) / load;
      if (most < rateRps) {
        rateRps = most;
        limit = replicas >= maxReplicas ? "maxReplicas" : "utilisation";
      }
    }
  });
  if (limits.machineCores !== null && workMs > 0) {
    const most = (1000 * utilisation * limits.machineCores * (1 + 1e-9)) / workMs;
    if (most < rateRps) {
      rateRps = most;
      limit = "utilisation";
    }
  }
  return { rateRps, limit };
}

function keepsAllRules({ problem, stages }: Scope, served: readonly (readonly ServedPart[])[]): boolean {
  return stages.every((stage, s) => keepsRules(problem, stage, served[s] ?? []));
}

/** Pinned counts are asked for, whatever the HPA makes of them. */
function isReachable(stage: ScopeStage, parts: readonly ServedPart[]): boolean {
  const replicas = parts.reduce((sum, { part }) => sum + part.replicas, 0);
  if (stage.pinnedReplicas !== null || stage.scaling === undefined) return true;
  return reachableCount(replicas, stage.maxReplicas, stage.scaling).replicas === replicas;
}

function keepsRules(problem: Problem, stage: ScopeStage, parts: readonly ServedPart[]): boolean {
  const name = stage.stage.name;
  const replicas = parts.reduce((sum, { part }) => sum + part.replicas, 0);
  if (replicas < stage.minReplicas || replicas > stage.maxReplicas) return false;
  if (stage.pinnedReplicas !== null && replicas !== stage.pinnedReplicas) return false;
  if (!isReachable(stage, parts)) return false;
  const excluded = problem.excluded[name] ?? [];
  if (parts.some(({ part }) => excluded.includes(part.variant))) return false;
  return problem.pins
    .filter(pin => pin.stage === name)
    .every(pin =>
      parts.every(
        ({ part }) =>
          (pin.variant === null || pin.variant === part.variant) && (pin.batch === null || pin.batch === part.batch),
      ),
    );
}
