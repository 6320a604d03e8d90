import type { Plan } from "../domain/plan.ts";
import { type Deadline, isOver, limitOfNext, partOf } from "./effort.ts";
import { type Choice, chooseWithin, type Most } from "./fleet-choice.ts";
import { choiceOf, type FleetResult, fleetOf, isHopeless, sum } from "./fleet-plan.ts";
import { optimize } from "./optimize.ts";
import type { Prices, Problem } from "./problem.ts";

/** Prices that are tried. */
const ROUNDS = 20;
/** At prices of so many times what everything is worth every pipeline takes its cheapest plan. */
const PROHIBITIVE = 1e6;
/** A gap that is this share of the objective is not worth another round. */
const CLOSE = 3e-4;
const NEARBY = [0.8, 1.25, 0.6];
/** Sums are compared with this much room. */
const SLACK = 1e-9;
/** Of the time that is left, for the plans at one price: nearly always they need less. */
const HALF = 1 / 2;

export const FREE: Prices = { core: 0, memoryMiB: 0 };

interface Priced {
  readonly prices: Prices;
  readonly choices: readonly Choice[];
  readonly fits: boolean;
  /** No plans that fit are worth more together, members that no plan serves left out. */
  readonly bound: number;
}

/**
 * Plans that take no more than there is: every pipeline pays for cores and memory, and the prices rise until what they take fits
 * (Lagrangian decomposition: the plans at given prices are independent of one another, and what they are worth less what they pay,
 * plus the capacity's price, bounds every other choice). Of all plans that were seen so far the best ones that fit are chosen, which
 * gives the next prices, until the bound is close or the time is over.
 *
 * @param freePlans the best ones at no price, where they are known.
 */
export function planByPrices(
  problems: readonly Problem[],
  most: Most,
  freePlans: readonly Plan[] | undefined,
  deadline: Deadline | null,
): FleetResult {
  const seen: Choice[][] = problems.map(() => []);
  const evaluated: Priced[] = [];
  /** Of members that no plan was found to serve: the least bad plan that takes the least. */
  const given: (Choice | undefined)[] = [];
  const planned = (p: number, problem: Problem, prices: Prices, end: Deadline | null): Choice => {
    const plan = optimize({ ...problem, prices, runnerUp: false }, limitOfNext(end, problems.length - p));
    return see(seen, p, choiceOf(problem, plan));
  };
  const at = (prices: Prices): Priced => {
    const end = isLimited(most) ? partOf(deadline, HALF) : deadline;
    const choices = problems.map((problem, p) => {
      const known = given[p] ?? sandwiched(evaluated, prices, p);
      if (known) return known;
      const free = prices === FREE ? freePlans?.[p] : undefined;
      return free ? see(seen, p, choiceOf(problem, free)) : planned(p, problem, prices, end);
    });
    const result = { prices, choices, fits: fits(choices, most), bound: boundOf(choices, prices, most) };
    evaluated.push(result);
    return result;
  };
  const result = (choices: readonly Choice[] | undefined): FleetResult => {
    const best = evaluated.reduce((least, other) => (other.bound < least.bound ? other : least));
    const hopeless = new Set(best.choices.flatMap(({ plan }, p) => (isHopeless(plan) ? [p] : [])));
    const fleet = choices ? fleetOf(choices, best.bound, hopeless, best.prices) : null;
    return { fleet, hopeless, bound: best.bound };
  };
  const free = at(FREE);
  if (free.fits) return result(free.choices);
  // Both prices move together: all of each capacity costs the same.
  const priceAt = (level: number): Prices => ({
    core: Number.isFinite(most.cores) ? level / Math.max(1e-9, most.cores) : 0,
    memoryMiB: Number.isFinite(most.memoryMiB) ? level / Math.max(1e-9, most.memoryMiB) : 0,
  });
  const prohibitive = priceAt(PROHIBITIVE * Math.max(1, Math.abs(free.bound)));
  const dear = at(prohibitive);
  if (!dear.fits) {
    // What takes the least of both may still be more than there is of one.
    for (const prices of [
      { ...prohibitive, core: 0 },
      { ...prohibitive, memoryMiB: 0 },
    ]) {
      const end = partOf(deadline, HALF);
      for (const [p, problem] of problems.entries()) planned(p, problem, prices, end);
    }
    if (!chooseWithin(seen, most)) return result(undefined);
  }
  for (const [p, choice] of dear.choices.entries()) {
    if (seen[p]?.some(({ plan }) => plan.feasible)) continue;
    given[p] = choice;
    seen[p] = [choice];
  }
  const first = free.choices.map((choice, p) => given[p] ?? choice);
  evaluated[0] = { ...free, choices: first, bound: boundOf(first, FREE, most) };
  const tried = new Set<number>();
  let chosen = chooseWithin(seen, most);
  for (let round = 0; round < ROUNDS && chosen && !isOver(deadline); round++) {
    const { fleet } = result(chosen.choices);
    if (!fleet || fleet.gap <= CLOSE * Math.abs(fleet.objective + fleet.gap)) break;
    // At the price of the last change again nothing new is seen: plans for what is left over are, at prices around it.
    const level = [1, ...NEARBY].map(factor => factor * (chosen?.level ?? 0)).find(other => !tried.has(other));
    if (level === undefined) break;
    tried.add(level);
    at(priceAt(level));
    chosen = chooseWithin(seen, most);
  }
  return result(chosen?.choices);
}

/** What serves the load comes before what does not. */
function see(seen: Choice[][], p: number, choice: Choice): Choice {
  const list = seen[p] ?? [];
  const isServed = list.some(({ plan }) => plan.feasible);
  if (choice.plan.feasible && !isServed) seen[p] = [choice];
  else if (choice.plan.feasible || !isServed) list.push(choice);
  return choice;
}

function isLimited({ cores, memoryMiB }: Most): boolean {
  return Number.isFinite(cores) || Number.isFinite(memoryMiB);
}

function fits(choices: readonly Choice[], most: Most): boolean {
  return (
    sum(choices.map(choice => choice.cores)) <= most.cores + SLACK &&
    sum(choices.map(choice => choice.memoryMiB)) <= most.memoryMiB + SLACK
  );
}

/** Of all members together. Those that no plan serves take what they take; one that may be served after all could be right at no price. */
function boundOf(choices: readonly Choice[], prices: Prices, most: Most): number {
  const worth = choices.map(({ plan, cores, memoryMiB }) => {
    const paid = prices.core * cores + prices.memoryMiB * memoryMiB;
    if (isHopeless(plan)) return -paid;
    return plan.objective + plan.gap - (plan.feasible ? paid : 0);
  });
  return sum(worth) + prices.core * finite(most.cores) + prices.memoryMiB * finite(most.memoryMiB);
}

/** Of a capacity without a limit, whose price is 0. */
function finite(capacity: number): number {
  return Number.isFinite(capacity) ? capacity : 0;
}

/**
 * A pipeline whose best choice is the same at a lower and at a higher price has it at every price between: what the best choice is worth
 * is convex in the price. Where it is not proven best, neither is it further from it between them than at one of them.
 */
function sandwiched(evaluated: readonly Priced[], prices: Prices, p: number): Choice | null {
  const level = (of: Prices) => of.core + of.memoryMiB;
  let below: Priced | null = null;
  let above: Priced | null = null;
  for (const other of evaluated) {
    if (level(other.prices) <= level(prices)) {
      if (!below || level(other.prices) > level(below.prices)) below = other;
    } else if (!above || level(other.prices) < level(above.prices)) above = other;
  }
  const [a, b] = [below?.choices[p], above?.choices[p]];
  const isSame = a && b && a.cores === b.cores && a.memoryMiB === b.memoryMiB;
  if (!isSame || a.plan.objective !== b.plan.objective) return null;
  return a.plan.gap >= b.plan.gap ? a : b;
}
