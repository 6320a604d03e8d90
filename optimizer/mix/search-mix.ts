import type { Configuration } from "../../domain/configuration.ts";
import type { Likely } from "../../domain/load.ts";
import type { Binding, Plan } from "../../domain/plan.ts";
import { evaluate, findCarried } from "../evaluate.ts";
import type { Problem } from "../problem.ts";
import { type Scope, type ScopeStage, scopeOf } from "../scope.ts";
import { SLACK } from "../totals.ts";
import { type Choice, isSame, keepVariant, listChoices, listOthers, readChoice, toKey } from "./choices.ts";
import { type Expected, expectValue, valueAnswers } from "./expected-value.ts";
import { MixModel } from "./mix-model.ts";

/** A plan over the rates that may come. */
export interface ValuedPlan {
  /** At the rate that its planned variants carry by themselves. */
  readonly plan: Plan;
  readonly mix: Expected;
  /** See expectValue(). */
  readonly value: number;
  /** Whether it is expected to serve what the SLO asks for, as accurately as the file asks for. */
  readonly isEnough: boolean;
}

/** One choice for each stage, in the order of the stages, and what it is worth if its planned variants are in time. */
interface Candidate extends Pick<ValuedPlan, "value" | "isEnough"> {
  readonly choices: readonly Choice[];
}

/** A plan that is not better by more is as good. */
const LEAST_RISE = 1e-9;
/** No more pairs of changes in two stages are looked at: each stage has only its best changes among them. */
const MOST_PAIRS = 4000;
/** Two changes are looked at together where the sum of what each loses alone is no more than this share of what accuracy is worth. */
const MOST_LOSS = 0.1;
/** Latencies are looked at for no more of the plans that are better, those that are worth most. */
const MOST_LOOKS = 500;
/** The search ends before that, as every step is better than the one before; it bounds what a mistake would take. */
const MOST_STEPS = 500;

/**
 * Searches for the plan that is worth most over the rates that may come, where replicas serve lighter variants batch by batch: planned variant, batch size
 * and replicas of every stage. From each start it goes to the best of all plans that differ in one stage, and where none is better to the best of
 * those that differ in two and may be, as one stage may need the time or the cores that another one has, until none is better. How often that is the best of all plans is the figure
 * `mix.search.bestPercent` of the benchmarks. The planned variants must be in time at the highest rate, up to the problem's, that they carry by themselves;
 * beyond it the rule of the switchers keeps to the deadlines. Null: nothing near any start is in time.
 *
 * @param problem one whose variants mix: see mixesVariants().
 * @param starts configurations to begin with; one that leaves a stage out is not used.
 */
export function searchMix(problem: Problem, likely: Likely, starts: readonly Configuration[]): ValuedPlan | null {
  return new MixSearch(problem, likely).search(starts);
}

/** The worth of a configuration; null where its planned variants are not in time at what they carry, or it breaks a rule. */
export function valuePlan(problem: Problem, configuration: Configuration, likely: Likely): ValuedPlan | null {
  const rateRps = findCarried(scopeOf(problem), configuration);
  if (rateRps === null) return null;
  const plan = evaluate({ ...problem, rateRps }, configuration);
  if (!plan.feasible) return null;
  const mix = expectValue(problem, plan, likely);
  return { plan, mix, value: mix.value, isEnough: isEnough(problem, mix) };
}

/** See searchMix(). */
export class MixSearch {
  private readonly scope: Scope;
  private readonly model: MixModel;
  private readonly inTime = new Map<string, boolean>();
  private readonly problem: Problem;
  private readonly likely: Likely;

  constructor(problem: Problem, likely: Likely) {
    this.problem = problem;
    this.likely = likely;
    this.scope = scopeOf(problem);
    this.model = new MixModel(problem, likely, this.scope.problem.pipeline.objective.utilisation);
  }

  /** @param only by stage the one variant that may be planned; null: any may. */
  search(starts: readonly Configuration[], only: Readonly<Record<string, string>> | null = null): ValuedPlan | null {
    const stages = this.scope.stages.map(stage => (only ? keepVariant(stage, only[stage.stage.name]) : stage));
    let best: Candidate | null = null;
    const ends = new Set<string>();
    for (const start of starts) {
      const found = this.climb(stages, start, ends);
      if (found && (!best || isBetter(found, best))) best = found;
    }
    return best && this.value(this.toConfiguration(best));
  }

  /** See valuePlan(). */
  value(configuration: Configuration): ValuedPlan | null {
    return valuePlan(this.problem, configuration, this.likely);
  }

  /** Finds the limit that the best of all plans breaks which differ in one stage and are worth more. */
  findBinding(configuration: Configuration): Binding {
    const choices = this.scope.stages.flatMap(stage => readChoice(stage, configuration) ?? []);
    if (choices.length < this.scope.stages.length) return "none";
    const known = this.toValued(choices) as Candidate;
    const others = this.scope.stages.flatMap((stage, s) => {
      const choice = choices[s] as Choice;
      const more = { ...choice, replicas: choice.replicas + 1 };
      const listed = listChoices(stage, choice, true);
      return [...listed, ...(stage.pinnedReplicas === null ? [more] : [])].map(other => choices.with(s, other));
    });
    const better = others.flatMap(other => this.toValued(other, known.value + LEAST_RISE) ?? []);
    better.sort((some, other) => other.value - some.value);
    for (const other of better.slice(0, MOST_LOOKS)) {
      const broken = this.findBroken(other);
      if (broken !== "none") return broken;
    }
    return "none";
  }

  /** @param ends keys of plans that climbs from other starts came to, from where they went on: this one is added. */
  private climb(stages: readonly ScopeStage[], start: Configuration, ends: Set<string>): Candidate | null {
    const choices = stages.flatMap(stage => readChoice(stage, start) ?? []);
    if (choices.length < stages.length) return null;
    const first = this.toCandidate(choices);
    // From a start that is not in time it goes to the best one beside it that is.
    let best = first && this.isInTime(first) ? first : { choices, value: Number.NEGATIVE_INFINITY, isEnough: false };
    for (let step = 0; step < MOST_STEPS; step++) {
      let next = this.findBest(listOthers(stages, best.choices), best);
      if (!next && !ends.has(toKey(best.choices))) {
        ends.add(toKey(best.choices));
        next = this.findBest(this.listPairs(stages, best), best);
      }
      if (!next) break;
      best = next;
    }
    return best.value > Number.NEGATIVE_INFINITY ? best : null;
  }

  private findBroken(candidate: Candidate): Binding {
    const { stages, maxCores, maxCostPerHour } = this.scope;
    const { cores, costPerHour } = this.sumUp(candidate.choices);
    if (candidate.choices.some(({ replicas }, s) => replicas > (stages[s] as ScopeStage).maxReplicas))
      return "maxReplicas";
    if (cores > maxCores + SLACK) return "cores";
    if (costPerHour > maxCostPerHour + SLACK) return "cost";
    if (!candidate.isEnough) return "minAccuracy";
    return this.isInTime(candidate) ? "none" : "slo";
  }

  private toConfiguration({ choices }: Pick<Candidate, "choices">): Configuration {
    const named = choices.map(({ variant, batch, replicas }, s) => {
      const name = this.scope.stages[s]?.stage.name ?? "";
      return [name, { parts: [{ variant, batch, replicas, share: 1 }] }] as const;
    });
    return Object.fromEntries(named);
  }

  /** The best of the others that is better and in time; latencies take long, so they are looked at last. */
  private findBest(others: readonly (readonly Choice[])[], than: Candidate): Candidate | null {
    // A plan that is not enough gives way to any that is, whatever that is worth.
    const leastValue = than.isEnough ? than.value + LEAST_RISE : Number.NEGATIVE_INFINITY;
    const better = others.flatMap(choices => {
      const other = this.toCandidate(choices, leastValue);
      return other && isBetter(other, than) ? [other] : [];
    });
    better.sort((some, other) => Number(other.isEnough) - Number(some.isEnough) || other.value - some.value);
    return better.slice(0, MOST_LOOKS).find(other => this.isInTime(other)) ?? null;
  }

  /** Values choices as if they were in time; null where they are worth less, have more cores than there may be, or cost more than they may. */
  private toCandidate(choices: readonly Choice[], leastValue?: number): Candidate | null {
    const { maxCores, maxCostPerHour } = this.scope;
    const { cores, costPerHour } = this.sumUp(choices);
    return cores > maxCores + SLACK || costPerHour > maxCostPerHour + SLACK ? null : this.toValued(choices, leastValue);
  }

  private sumUp(choices: readonly Choice[]): { readonly cores: number; readonly costPerHour: number } {
    let cores = 0;
    let costPerHour = 0;
    for (const [s, { cores: own, replicas }] of choices.entries()) {
      cores += replicas * own;
      costPerHour += replicas * (this.scope.stages[s]?.stage.costPerHour ?? 0);
    }
    return { cores, costPerHour };
  }

  /** Values choices as if they were in time and there were cores for them; null where they are worth less. */
  private toValued(choices: readonly Choice[], leastValue = Number.NEGATIVE_INFINITY): Candidate | null {
    const { stages, problem } = this.scope;
    const { weights } = problem.pipeline.objective;
    let costs = 0;
    for (const [s, { variant, cores, batch, replicas }] of choices.entries()) {
      const current = stages[s]?.currentVariant ?? null;
      costs += weights.cost * replicas * cores + weights.batch * batch;
      if (current !== null && current !== variant) costs += weights.switch;
    }
    // With all requests served: those that are missed only make it worth less.
    const mixed = this.model.measureAbove(choices, (leastValue + costs) / weights.accuracy - SLACK);
    if (!mixed) return null;
    const value = valueAnswers(problem.pipeline.objective, mixed) - costs;
    return value < leastValue ? null : { choices, value, isEnough: isEnough(this.problem, mixed) };
  }

  private isInTime(candidate: Candidate): boolean {
    const key = toKey(candidate.choices);
    const known = this.inTime.get(key) ?? findCarried(this.scope, this.toConfiguration(candidate)) !== null;
    this.inTime.set(key, known);
    return known;
  }

  /**
   * Those that differ in two stages, one of which may get the time or the cores that the other one gives. Two changes of which each loses much alone are taken
   * to lose it together.
   */
  private listPairs(
    stages: readonly ScopeStage[],
    { choices, value, isEnough: isEnoughNow }: Candidate,
  ): readonly (readonly Choice[])[] {
    const { problem } = this.scope;
    if (stages.length < 2) return [];
    const most = Math.floor(Math.sqrt((2 * MOST_PAIRS) / (stages.length * (stages.length - 1))));
    // A plan that is not enough yet, or not in time, may have to lose much to be.
    const leastGain = isEnoughNow ? -MOST_LOSS * problem.pipeline.objective.weights.accuracy : Number.NEGATIVE_INFINITY;
    const best = stages.map((stage, s) =>
      listChoices(stage, choices[s] as Choice, false)
        .filter(choice => !isSame(choice, choices[s] as Choice))
        .flatMap(choice => this.toValued(choices.with(s, choice), value + leastGain) ?? [])
        .sort((some, other) => other.value - some.value)
        .slice(0, most)
        .map(other => ({ choice: other.choices[s] as Choice, gain: other.value - value })),
    );
    return best.flatMap((first, f) =>
      best.flatMap((second, t) =>
        t <= f
          ? []
          : first.flatMap(one =>
              second
                .filter(two => one.gain + two.gain >= leastGain)
                .map(two => choices.with(f, one.choice).with(t, two.choice)),
            ),
      ),
    );
  }
}

function isEnough(
  { pipeline }: Problem,
  { accuracy, served }: { readonly accuracy: number; readonly served: number },
): boolean {
  return served >= pipeline.slo.quantile && accuracy >= (pipeline.objective.minAccuracy ?? 0);
}

function isBetter(some: Candidate, other: Candidate): boolean {
  return some.isEnough === other.isEnough ? some.value > other.value + LEAST_RISE : some.isEnough;
}
