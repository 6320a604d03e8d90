import { RATE_QUANTILES } from "../../domain/load.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { POLICIES } from "../../optimizer/policies.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { mayServeLighter } from "../assignments/rungs.ts";
import { LEAST_RPS, type Rates } from "../demand.ts";
import type { Tuning } from "../tuning.ts";
import { expectValue } from "./expected-value.ts";

/** Quantiles of the rate that plans are made for to see what they are worth, beside the demand. */
const TRIED = [0.5, 0.9].map(level => (RATE_QUANTILES as readonly number[]).indexOf(level));
/** Rates that differ by less have the same plan as good as always. */
const LEAST_STEP = 1.03;

/**
 * Chooses the rate that replicas and variants are planned for: of the load as it is, quantiles of the rate that is forecast and the demand, the one
 * whose plan is expected to be worth most. Replicas serve lighter variants where more comes, so that room for all that may come is only bought where
 * that costs less than what lighter variants lose. A plan that is not expected to serve the share of the requests in time that the SLO asks for
 * gives way to a larger one. Where no plan meets every constraint it is the demand.
 */
export function choosePlannedRate(problem: Problem, { nowRps, ratesRps, peaksRps }: Rates, tuning: Tuning): number {
  const demandRps = problem.rateRps;
  if (!isExpected(problem, tuning)) return demandRps;
  const nodes = ratesRps.map((rateRps, at) => (at < MEDIAN ? rateRps : Math.max(rateRps, nowRps)));
  const leastRps = Math.max(nowRps, LEAST_RPS);
  const tried = TRIED.map(at => Math.max(leastRps, nodes[at] ?? demandRps)).filter(rps => LEAST_STEP * rps < demandRps);
  if (tried.length === 0) return demandRps;
  let best = { rateRps: demandRps, value: Number.NEGATIVE_INFINITY };
  for (const rateRps of [demandRps, ...tried]) {
    const plan = optimize({ ...problem, rateRps, runnerUp: false });
    if (!plan.feasible) continue;
    const { value, served, accuracy } = expectValue(problem, plan, { ratesRps: nodes, peaksRps });
    const { slo, objective } = problem.pipeline;
    const isEnough = served >= slo.quantile && accuracy >= (objective.minAccuracy ?? 0);
    if ((isEnough || rateRps === demandRps) && value > best.value) best = { rateRps, value };
  }
  return best.rateRps;
}

const MEDIAN = RATE_QUANTILES.indexOf(0.5);

/**
 * Whether plans of this pipeline are for what is expected. On a machine that all replicas share lighter variants of one stage take cores from the others
 * (measured: plans for the median lost three points there), and a tuning says its own quantile.
 */
function isExpected({ pipeline, limits }: Problem, { forecastQuantile }: Tuning): boolean {
  const { replicas, slo } = POLICIES[pipeline.objective.policy];
  const isFree = replicas === "free" && slo === "hard";
  return isFree && mayServeLighter(pipeline) && limits.machineCores === null && forecastQuantile === null;
}
