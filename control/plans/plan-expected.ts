import { type Configuration, mainPart, servedNames } from "../../domain/configuration.ts";
import { LEAST_RPS, type Likely, QUANTILES, RATE_QUANTILES } from "../../domain/load.ts";
import { configurationOf, type Plan, type Reason } from "../../domain/plan.ts";
import { mixesVariants, planForExpected } from "../../optimizer/mix/expected-value.ts";
import { MixSearch, type ValuedPlan } from "../../optimizer/mix/search-mix.ts";
import { replaceUnusedTops } from "../../optimizer/mix/unused-tops.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { POLICIES } from "../../optimizer/policies.ts";
import type { Problem } from "../../optimizer/problem.ts";
import type { Rates } from "../demand.ts";
import { SETTINGS } from "../settings.ts";
import { isQuantileTuned, type Tuning } from "../tuning.ts";

const MEDIAN = RATE_QUANTILES.indexOf(0.5);
/** From this quantile on a load that has outrun its forecast is taken to go on rising. */
const HIGH = 0.9;

/**
 * Plans variants, batches and replicas of all stages for what is expected: the plan that is worth most over the rates that may come, where replicas
 * serve lighter variants batch by batch when more comes than the planned ones carry. Room for all that may come is only bought where that costs
 * less than what lighter variants lose. What is planned now stays where another plan gains too little.
 *
 * @param problem its rate is the demand: the highest that plans are for.
 * @returns null where variants don't mix, or no plan is expected to serve what the SLO and the least accuracy ask for although one for the demand does.
 */
export function planExpected(problem: Problem, rates: Rates, tuning: Tuning): Plan | null {
  if (!isExpected(problem, tuning)) return null;
  const likely = findLikely(rates);
  const search = new MixSearch(problem, likely);
  const [whole, least] = [problem.rateRps, Math.max(rates.nowRps, LEAST_RPS)].map(rateRps =>
    optimize({ ...problem, rateRps, runnerUp: false }),
  ) as [Plan, Plan];
  const starts = [configurationOf(whole), configurationOf(least), ...(problem.current ? [problem.current] : [])];
  const best = search.search(starts);
  // Where the demand itself can't be carried, the plan that is worth most is better than one whose lightest variants carry the most.
  if (!best || (!best.isEnough && whole.feasible)) return null;
  const used = replaceUnusedTops(problem, likely, best);
  const held = problem.current && findHeld(search, problem.current, used);
  const chosen = held ?? used;
  const binding = search.findBinding(configurationOf(chosen.plan));
  const reasons: Reason[] = chosen.isEnough ? ["expected"] : ["infeasible", "expected"];
  if (held) reasons.push("held_gain");
  if (rates.risenRps > problem.rateRps) reasons.push("rising");
  if (binding === "maxReplicas") reasons.push("capped_max_replicas");
  if (binding === "cores") reasons.push("capped_cores");
  const shedRps = chosen.isEnough ? 0 : (1 - chosen.mix.served) * problem.rateRps;
  return { ...planForExpected(problem, chosen.plan, chosen.mix), feasible: chosen.isEnough, shedRps, binding, reasons };
}

/**
 * The rates that may come: in at least half of the cases no lower than the load as it is, and of a load that has outrun its forecast in one of ten cases
 * no lower than what it goes on to.
 */
export function findLikely({ rateRps: demandRps, nowRps, risenRps, ratesRps, peaksRps }: Rates): Likely {
  const leastRps = Math.max(nowRps, LEAST_RPS);
  const hasRisen = risenRps > demandRps;
  const raise = (levels: readonly number[], rate: number, at: number): number =>
    Math.max(rate, leastRps, hasRisen && (levels[at] ?? 0) >= HIGH ? risenRps : 0);
  return {
    ratesRps: ratesRps.map((rateRps, at) => (at < MEDIAN ? rateRps : raise(RATE_QUANTILES, rateRps, at))),
    peaksRps: peaksRps.map((rateRps, at) => raise(QUANTILES, rateRps, at)),
  };
}

/**
 * Finds what is planned now, where that is worth nearly as much: as it is, or its variants with other batches and replicas. Null: another plan is worth
 * its changes.
 */
function findHeld(search: MixSearch, current: Configuration, best: ValuedPlan): ValuedPlan | null {
  const isHeld = (own: ValuedPlan, leastGain: number): boolean =>
    (own.isEnough || !best.isEnough) && best.value - own.value < leastGain;
  // Parts that voted serve one variant each, and no variant for the other.
  if (Object.values(current).some(({ parts }) => parts.length !== 1)) return null;
  const whole = search.value(current);
  if (whole && isHeld(whole, SETTINGS.leastSizeGain)) return isSame(whole, best) ? null : whole;
  const variants = servedNames(current);
  const goal = Object.entries(servedNames(configurationOf(best.plan)));
  if (goal.every(([stage, variant]) => variants[stage] === variant)) return null;
  const same = search.search([current, configurationOf(best.plan)], variants);
  return same && isHeld(same, SETTINGS.leastGain) ? same : null;
}

function isSame(some: ValuedPlan, others: ValuedPlan): boolean {
  return some.plan.stages.every((stage, at) => {
    const [own, other] = [mainPart(stage), mainPart(others.plan.stages[at] ?? stage)];
    return own?.variant === other?.variant && own?.batch === other?.batch && own?.replicas === other?.replicas;
  });
}

/**
 * Whether plans of this pipeline are for what is expected. On a machine that all replicas share lighter variants of one stage take cores from the others
 * (plans for the median were two to three points worse in single runs), a vote has no lighter rungs, a tuning says its own quantile, and what is idle needs nothing.
 */
function isExpected(problem: Problem, tuning: Tuning): boolean {
  const { replicas, slo } = POLICIES[problem.pipeline.objective.policy];
  const isFree = replicas === "free" && slo === "hard" && !isQuantileTuned(tuning);
  return isFree && mixesVariants(problem) && problem.rateRps >= LEAST_RPS;
}
