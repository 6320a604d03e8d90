import type { Binding } from "../domain/plan.ts";
import { type Deadline, startEffort } from "./effort.ts";
import { follow, optionsOf } from "./label.ts";
import { boundAt, boundFrame, mostFrom, type Prices } from "./label-bound.ts";
import type { LabelOption, LabelProblem } from "./label-problem.ts";
import { type LabelScope, labelScopeOf } from "./label-scope.ts";
import { LABEL_BUDGET, type LabelResult, searchLabels } from "./label-search.ts";
import type { Scope } from "./scope.ts";
import type { Candidate, SearchResult } from "./search-state.ts";

/**
 * The best plan where latencies are plain numbers: `searchLabels`. Soft: the least accuracy may be missed, and where even so the
 * SLO can't be kept, the options with the least latency are taken.
 */
export function searchPlain(scope: Scope, slo: "hard" | "soft", deadline: Deadline | null): SearchResult {
  const searched = (problem: LabelProblem) => searchLabels(problem, startEffort(LABEL_BUDGET, deadline));
  const given = labelScopeOf(scope, "hard");
  if (slo === "hard") return resultOf(scope, given, searched(given.problem));
  const eased: LabelScope = { ...given, problem: { ...given.problem, minAccuracy: -Infinity } };
  const found = searched(eased.problem);
  if (found.options) return resultOf(scope, eased, found);
  const fastest = fastestOf(labelScopeOf(scope, "soft").problem);
  return resultOf(scope, eased, searched(fastest));
}

/** The problem in which only latency counts, and price between equals. */
function fastestOf(problem: LabelProblem): LabelProblem {
  const repriced = (option: LabelOption): LabelOption => ({ ...option, price: option.latencyMs + 1e-9 * option.price });
  return {
    ...problem,
    worth: 0,
    stages: problem.stages.map(stage => ({ ...stage, optionsAt: rows => stage.optionsAt(rows).map(repriced) })),
  };
}

function resultOf(scope: Scope, { problem, limited, blocked }: LabelScope, found: LabelResult): SearchResult {
  const { options } = found;
  const best = options && candidateOf(scope, options, found.objective);
  return {
    best,
    runnerUp: scope.problem.runnerUp === false ? null : options && runnerUpOf(scope, problem, options, found),
    isProven: found.isProven,
    leftBound: found.isProven ? -Infinity : found.upperBound,
    binding: bindingOf(problem, limited, blocked, found),
  };
}

function candidateOf(scope: Scope, options: readonly LabelOption[], objective: number): Candidate {
  const variants = options.map(({ variant }) => variant);
  return { variants, options, accuracy: scope.accuracy.of(variants), within: 1, objective };
}

/** The best of the choices that differ from `best` in one stage, and of an earlier best. */
function runnerUpOf(
  scope: Scope,
  problem: LabelProblem,
  best: readonly LabelOption[],
  { shape, earlier }: LabelResult,
): Candidate | null {
  let runnerUp: readonly LabelOption[] | null = earlier;
  let objective = (earlier && follow(problem, shape, earlier)?.bound) ?? -Infinity;
  for (const [k, stage] of shape.loose.entries())
    for (const option of stage.options) {
      if (option.variant === best[k]?.variant) continue;
      const label = follow(problem, shape, best.with(k, option));
      if (!label || label.bound <= objective) continue;
      objective = label.bound;
      // With the replicas that these variants' rows need.
      runnerUp = optionsOf(label);
    }
  return runnerUp && objective > -Infinity ? candidateOf(scope, runnerUp, objective) : null;
}

/** The limit without which the objective could be the furthest above what was found; at no prices for it all the others are paid. */
function bindingOf(
  problem: LabelProblem,
  limited: readonly Binding[],
  blocked: LabelScope["blocked"],
  { relaxed, objective, shape }: LabelResult,
): Binding {
  if (!relaxed) return blocked()[0]?.binding ?? "none";
  const { loose } = shape;
  const { prices } = relaxed.bound;
  let binding: Binding = "none";
  let highest = objective + 1e-9 + 1e-9 * Math.abs(objective);
  const consider = (name: Binding, stages: typeof loose, at: Prices) => {
    const bound = boundAt(boundFrame(problem, stages), at);
    const value = mostFrom(bound, 0, problem.start) + bound.constant;
    if (value <= highest) return;
    highest = value;
    binding = name;
  };
  if (prices.latency > 0) consider("slo", loose, { ...prices, latency: 0 });
  for (const [r, name] of limited.entries())
    if ((prices.uses[r] ?? 0) > 0) consider(name, loose, { ...prices, uses: prices.uses.with(r, 0) });
  if (prices.accuracy > 0) consider("minAccuracy", loose, { ...prices, accuracy: 0 });
  for (const { stage, options, binding: name } of blocked())
    consider(
      name,
      loose.map((own, k) => (k === stage ? { ...own, options: [...own.options, ...options] } : own)),
      prices,
    );
  return binding;
}
