import type { Configuration } from "../../domain/configuration.ts";
import type { Likely } from "../../domain/load.ts";
import type { Binding, Plan } from "../../domain/plan.ts";
import { evaluate, findCarried } from "../evaluate.ts";
import type { Problem } from "../problem.ts";
import { type Scope, scopeOf } from "../scope.ts";
import { SLACK } from "../totals.ts";
import { boundAccuracies, type Choice, StageChoices, toConfiguration, toKey, toTopsKey } from "./choices.ts";
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

/** The worth of a plan if its planned variants are in time. */
type Valued = Pick<ValuedPlan, "value" | "isEnough">;

interface Candidate extends Valued {
  /** One for each stage, in the order of the stages. */
  readonly choices: readonly Choice[];
}

/** A change in one stage, and what it gains alone. */
interface Change {
  readonly choice: Choice;
  readonly gain: number;
}

/** A plan that is not better by more is as good. */
const LEAST_RISE = 1e-9;
/** No more pairs of changes in two stages are looked at: each stage has only its best changes among them. */
const MOST_PAIRS = 4000;
/** Two changes are looked at together where the sum of what each loses alone is no more than this share of what accuracy is worth. */
const MOST_LOSS = 0.1;
/** The limit that holds a plan back is looked for among so many better ones, those that are worth most. */
const MOST_LOOKS = 50;
/** The search from all starts together ends after so many stages of plans that were measured, with the best that it has found; about a tenth of a second. */
const MOST_WORK = 80_000;
/** A look at latencies takes as long as measuring so many plans. */
const LOOK_WORK = 30;

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
  private readonly lists: readonly StageChoices[];
  private readonly names: readonly string[];
  private readonly inTime = new Map<string, boolean>();
  /** Replicas by stage of plans that are late, by variants and batches: with fewer replicas they are taken to be late as well. */
  private readonly late = new Map<string, readonly (readonly number[])[]>();
  private readonly problem: Problem;
  private readonly likely: Likely;
  private workLeft = MOST_WORK;

  constructor(problem: Problem, likely: Likely) {
    this.problem = problem;
    this.likely = likely;
    this.scope = scopeOf(problem);
    const { pipeline } = this.scope.problem;
    const { weights, utilisation } = pipeline.objective;
    this.model = new MixModel(problem, likely, utilisation);
    this.lists = this.scope.stages.map(
      (stage, s) => new StageChoices(stage, weights, boundAccuracies(pipeline, stage.stage, s)),
    );
    this.names = this.scope.stages.map(({ stage }) => stage.name);
  }

  /** @param only by stage the one variant that may be planned; null: any may. */
  search(starts: readonly Configuration[], only: Readonly<Record<string, string>> | null = null): ValuedPlan | null {
    const lists = only ? this.lists.map((list, s) => list.keepVariant(only[this.names[s] ?? ""])) : this.lists;
    let best: Candidate | null = null;
    const ends = new Set<string>();
    for (const start of starts) {
      this.workLeft = MOST_WORK / starts.length;
      const found = this.climb(lists, start, ends);
      if (found && (!best || isBetter(found, best))) best = found;
    }
    return best && this.value(toConfiguration(best.choices, this.names));
  }

  /** See valuePlan(). */
  value(configuration: Configuration): ValuedPlan | null {
    return valuePlan(this.problem, configuration, this.likely);
  }

  /** Finds the limit that the best of all plans breaks which differ in one stage and are worth more. */
  findBinding(configuration: Configuration): Binding {
    const choices = this.lists.flatMap(list => list.read(configuration) ?? []);
    const known = choices.length === this.lists.length ? this.valueChoices(choices) : null;
    if (!known) return "none";
    const better: Candidate[] = [];
    for (const [s, list] of this.lists.entries())
      for (const choice of [...list.listNear(choices[s] as Choice, true), ...list.listBeyond()]) {
        const tried = choices.with(s, choice);
        const valued = this.valueChoices(tried, known.value + LEAST_RISE);
        if (valued) better.push({ choices: tried, ...valued });
      }
    better.sort((some, other) => other.value - some.value);
    for (const other of better.slice(0, MOST_LOOKS)) {
      const broken = this.findBroken(other);
      if (broken !== "none") return broken;
    }
    return "none";
  }

  private findBroken(candidate: Candidate): Binding {
    const { choices } = candidate;
    if (choices.some((choice, s) => (this.lists[s] as StageChoices).isBeyond(choice))) return "maxReplicas";
    if (sumUp(choices, "cores") > this.scope.maxCores + SLACK) return "cores";
    if (sumUp(choices, "costPerHour") > this.scope.maxCostPerHour + SLACK) return "cost";
    if (!candidate.isEnough)
      return this.model.measure(choices).served < this.problem.pipeline.slo.quantile ? "slo" : "minAccuracy";
    return this.isInTime(choices) ? "none" : "slo";
  }

  /**
   * Changes one stage after the other to its best, and two together where none can be bettered alone.
   *
   * @param ends keys of plans that climbs from other starts came to, from where they went on: this one is added.
   */
  private climb(lists: readonly StageChoices[], start: Configuration, ends: Set<string>): Candidate | null {
    const choices = lists.flatMap(list => list.read(start) ?? []);
    if (choices.length < lists.length) return null;
    const first = this.valueAllowed(choices);
    // From a start that is not in time it goes to the best one beside it that is.
    const isStart = first !== null && this.isInTime(choices);
    let best: Candidate = isStart
      ? { choices, ...first }
      : { choices, value: Number.NEGATIVE_INFINITY, isEnough: false };
    while (this.workLeft > 0) {
      const before = best;
      for (const [s, list] of lists.entries()) best = this.changeStage(list, s, best) ?? best;
      if (best !== before) continue;
      if (ends.has(toKey(best.choices))) break;
      ends.add(toKey(best.choices));
      best = this.changeTwo(lists, best) ?? best;
      if (best === before) break;
    }
    return best.value > Number.NEGATIVE_INFINITY ? best : null;
  }

  /** The best of those that differ in one stage and are better and in time. */
  private changeStage(list: StageChoices, s: number, best: Candidate): Candidate | null {
    const better: Candidate[] = [];
    const tried = [...best.choices];
    for (const choice of list.listNear(best.choices[s] as Choice, true)) {
      tried[s] = choice;
      this.addBetter(better, tried, best);
    }
    return this.findInTime(better);
  }

  /**
   * The best of those that differ in two stages and are better and in time: one may get the time or the cores that the other one gives. Two changes of
   * which each loses much alone are taken to lose it together.
   */
  private changeTwo(lists: readonly StageChoices[], best: Candidate): Candidate | null {
    if (lists.length < 2) return null;
    const changes = lists.map((list, s) => this.listChanges(list, s, best, lists.length));
    const leastGain = this.findLeastGain(best);
    const better: Candidate[] = [];
    const tried = [...best.choices];
    for (let f = 0; f < lists.length; f++)
      for (let t = f + 1; t < lists.length; t++) {
        for (const one of changes[f] as readonly Change[])
          for (const two of changes[t] as readonly Change[]) {
            // They are sorted: the others lose more.
            if (one.gain + two.gain < leastGain) break;
            tried[f] = one.choice;
            tried[t] = two.choice;
            this.addBetter(better, tried, best);
          }
        tried[f] = best.choices[f] as Choice;
        tried[t] = best.choices[t] as Choice;
      }
    return this.findInTime(better);
  }

  /** Lists the best changes of a stage, by what they gain alone. */
  private listChanges(list: StageChoices, s: number, best: Candidate, stages: number): readonly Change[] {
    const most = Math.floor(Math.sqrt((2 * MOST_PAIRS) / (stages * (stages - 1))));
    const leastValue = best.value + this.findLeastGain(best);
    const tried = [...best.choices];
    const changes: Change[] = [];
    for (const choice of list.listNear(best.choices[s] as Choice, false)) {
      if (choice === best.choices[s]) continue;
      tried[s] = choice;
      const valued = this.valueChoices(tried, leastValue);
      if (valued) changes.push({ choice, gain: valued.value - best.value });
    }
    return changes.sort((some, other) => other.gain - some.gain).slice(0, most);
  }

  /** A plan that is not enough yet, or not in time, may have to lose much to be. */
  private findLeastGain({ isEnough: isEnoughNow }: Candidate): number {
    return isEnoughNow ? -MOST_LOSS * this.scope.problem.pipeline.objective.weights.accuracy : Number.NEGATIVE_INFINITY;
  }

  private addBetter(better: Candidate[], tried: readonly Choice[], than: Candidate): void {
    // A plan that is not enough gives way to any that is, whatever that is worth.
    const leastValue = than.isEnough ? than.value + LEAST_RISE : Number.NEGATIVE_INFINITY;
    if (this.workLeft <= 0) return;
    const valued = this.valueAllowed(tried, leastValue);
    if (valued && isBetter(valued, than)) better.push({ choices: [...tried], ...valued });
  }

  /** The best that is in time; latencies take long, so they are looked at last. */
  private findInTime(better: Candidate[]): Candidate | null {
    better.sort((some, other) => Number(other.isEnough) - Number(some.isEnough) || other.value - some.value);
    return better.find(({ choices }) => this.workLeft > 0 && this.isInTime(choices)) ?? null;
  }

  /** Values choices as if they were in time; null where they are worth less, have more cores than there may be, or cost more than they may. */
  private valueAllowed(choices: readonly Choice[], leastValue?: number): Valued | null {
    const { maxCores, maxCostPerHour } = this.scope;
    if (sumUp(choices, "cores") > maxCores + SLACK || sumUp(choices, "costPerHour") > maxCostPerHour + SLACK)
      return null;
    return this.valueChoices(choices, leastValue);
  }

  /** Values choices as if they were in time and there were cores for them; null where they are worth less. */
  private valueChoices(choices: readonly Choice[], leastValue = Number.NEGATIVE_INFINITY): Valued | null {
    const { objective } = this.scope.problem.pipeline;
    const costs = sumUp(choices, "costs");
    // With all requests served: those that are missed only make it worth less.
    const leastAccuracy = (leastValue + costs) / objective.weights.accuracy - SLACK;
    if (choices.some(({ mostAccuracy }) => mostAccuracy < leastAccuracy)) return null;
    this.workLeft -= choices.length;
    const mixed = this.model.measureAbove(choices, leastAccuracy);
    if (!mixed) return null;
    const value = valueAnswers(objective, mixed) - costs;
    return value < leastValue ? null : { value, isEnough: isEnough(this.problem, mixed) };
  }

  private isInTime(choices: readonly Choice[]): boolean {
    const key = toKey(choices);
    const known = this.inTime.get(key);
    if (known !== undefined) return known;
    const late = this.late.get(toTopsKey(choices)) ?? [];
    const isLate = late.some(others => others.every((count, s) => (choices[s] as Choice).replicas <= count));
    if (!isLate) this.workLeft -= LOOK_WORK * choices.length;
    const isInTime = !isLate && findCarried(this.scope, toConfiguration(choices, this.names)) !== null;
    this.inTime.set(key, isInTime);
    if (!isInTime && !isLate) this.late.set(toTopsKey(choices), [...late, choices.map(({ replicas }) => replicas)]);
    return isInTime;
  }
}

function sumUp(choices: readonly Choice[], of: "cores" | "costPerHour" | "costs"): number {
  let sum = 0;
  for (const choice of choices) sum += choice[of];
  return sum;
}

function isEnough(
  { pipeline }: Problem,
  { accuracy, served }: { readonly accuracy: number; readonly served: number },
): boolean {
  return served >= pipeline.slo.quantile && accuracy >= (pipeline.objective.minAccuracy ?? 0);
}

function isBetter(some: Valued, other: Valued): boolean {
  return some.isEnough === other.isEnough ? some.value > other.value + LEAST_RISE : some.isEnough;
}
