import type { Binding } from "../domain/plan.ts";
import type { Effort } from "./effort.ts";
import type { Option } from "./stage-options.ts";

/** A choice for every stage, with what the search computed of it. */
export interface Candidate {
  readonly variants: readonly string[];
  readonly options: readonly Pick<Option, "batch" | "replicas" | "parts">[];
  readonly accuracy: number;
  /** P[latency within the SLO]. */
  readonly within: number;
  readonly objective: number;
}

/** What a search has found so far, and how much longer it may go on. */
export interface SearchState {
  /** Soft: the SLO and the least accuracy may be missed, they only count in the objective. */
  readonly slo: "hard" | "soft";
  /** Objective of the best so far. */
  toBeat(): number;
  /** Nothing that is at most this good changes the result, runner-up included, for a combination of variants (null: any). */
  threshold(variants: readonly string[] | null): number;
  record(candidate: Candidate): void;
  /** A constraint stopped something whose objective would be this at most, were all its requests in time. */
  reject(constraint: Binding, bound: number): void;
  /** `effort`: sums of what EFFORT says. */
  spend(effort: number): void;
  /** True: stop; what was not looked at is to be reported with `leave`. */
  isExhausted(): boolean;
  leave(bound: number): void;
  result(): SearchResult;
}

export interface SearchResult {
  readonly best: Candidate | null;
  /**
   * Best with other variants than `best` in at least one stage, with good batches and replicas: that they are the best for its
   * variants is only proven for `best`.
   */
  readonly runnerUp: Candidate | null;
  readonly isProven: boolean;
  /** Upper bound on the objective of what was not looked at. */
  readonly leftBound: number;
  /** The constraint that stopped the candidate that could be the furthest above `best`. */
  readonly binding: Binding;
}

/** About how long things take, in microseconds: the search is bounded by work done, so that its result is reproducible. */
export const EFFORT = { option: 4, sum: 1.5, chance: 0.15, branch: 0.5 };

export function startSearch(slo: "hard" | "soft", effort: Effort, wantsRunnerUp: boolean): SearchState {
  let best: Candidate | null = null;
  let runnerUp: Candidate | null = null;
  let leftBound = Number.NEGATIVE_INFINITY;
  const rejected = new Map<Binding, number>();
  return {
    slo,
    toBeat: () => best?.objective ?? Number.NEGATIVE_INFINITY,
    threshold: variants =>
      (!wantsRunnerUp || (variants && best && isSame(variants, best.variants)) ? best : runnerUp)?.objective ??
      Number.NEGATIVE_INFINITY,
    record: candidate => {
      if (best && isSame(candidate.variants, best.variants)) {
        if (candidate.objective > best.objective) best = candidate;
      } else if (!best || candidate.objective > best.objective) {
        runnerUp = best;
        best = candidate;
      } else if (!runnerUp || candidate.objective > runnerUp.objective) runnerUp = candidate;
    },
    reject: (constraint, bound) => {
      rejected.set(constraint, Math.max(bound, rejected.get(constraint) ?? Number.NEGATIVE_INFINITY));
    },
    spend: effort.spend,
    isExhausted: () => effort.isSpent(),
    leave: bound => {
      leftBound = Math.max(leftBound, bound);
    },
    result: () => ({
      best,
      runnerUp: wantsRunnerUp ? runnerUp : null,
      isProven: leftBound === Number.NEGATIVE_INFINITY || (best !== null && leftBound <= best.objective),
      leftBound,
      binding: bindingOf(rejected, best?.objective ?? Number.NEGATIVE_INFINITY),
    }),
  };
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.every((variant, stage) => variant === b[stage]);
}

function bindingOf(rejected: ReadonlyMap<Binding, number>, objective: number): Binding {
  let binding: Binding = "none";
  let highest = objective + 1e-9;
  for (const [constraint, bound] of rejected) {
    if (bound > highest) {
      highest = bound;
      binding = constraint;
    }
  }
  return binding;
}
