import { LEAST_RPS, type Likely, RATE_QUANTILES } from "../../domain/load.ts";
import { expectValue, mixesVariants } from "../../optimizer/mix/expected-value.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { POLICIES } from "../../optimizer/policies.ts";
import type { Problem } from "../../optimizer/problem.ts";
import type { Rates } from "../demand.ts";
import { SETTINGS } from "../settings.ts";
import type { Tuning } from "../tuning.ts";

/** Quantiles of the rate that plans are made for to see what they are worth, beside the demand. */
const TRIED = [0.5, 0.9].map(level => (RATE_QUANTILES as readonly number[]).indexOf(level));
/** Rates that differ by less have the same plan as good as always. */
const LEAST_STEP = 1.03;

const MEDIAN = RATE_QUANTILES.indexOf(0.5);

/**
 * Chooses the rate that replicas and variants are planned for: of the load as it is, quantiles of the rate that is forecast and the demand, the one
 * whose plan is expected to be worth most. Replicas serve lighter variants where more comes, so that room for all that may come is only bought where
 * that costs less than what lighter variants lose. A plan that is not expected to serve the share of the requests in time that the SLO asks for
 * gives way to a larger one. Where no plan meets every constraint it is the demand.
 *
 * @param keptRps what is planned for now: it stays where a lower rate gains too little, unless it is below what is expected; null: nothing is.
 */
export function choosePlannedRate(problem: Problem, rates: Rates, keptRps: number | null, tuning: Tuning): number {
  const demandRps = problem.rateRps;
  if (!isExpected(problem, tuning)) return demandRps;
  const likely = findLikely(rates);
  const valued: Valued[] = [];
  for (const rateRps of listTried(demandRps, Math.max(rates.nowRps, LEAST_RPS), likely.ratesRps, keptRps)) {
    const plan = optimize({ ...problem, rateRps, runnerUp: false });
    if (!plan.feasible) continue;
    const { value, served, accuracy } = expectValue(problem, plan, likely);
    const { slo, objective } = problem.pipeline;
    const isEnough = served >= slo.quantile && accuracy >= (objective.minAccuracy ?? 0);
    if (isEnough || rateRps === demandRps) valued.push({ rateRps, value });
  }
  const best = valued.reduce<Valued | null>(
    (most, one) => (most === null || one.value > most.value ? one : most),
    null,
  );
  const kept = valued.find(({ rateRps }) => rateRps === keptRps);
  if (best && kept && best.rateRps < kept.rateRps && best.value - kept.value < SETTINGS.leastGain) return kept.rateRps;
  return best?.rateRps ?? demandRps;
}

/** The rates that may come: in at least half of the cases no lower than the load as it is. */
export function findLikely({ nowRps, ratesRps, peaksRps }: Rates): Likely {
  const leastRps = Math.max(nowRps, LEAST_RPS);
  return {
    ratesRps: ratesRps.map((rateRps, at) => (at < MEDIAN ? rateRps : Math.max(rateRps, leastRps))),
    peaksRps,
  };
}

interface Valued {
  readonly rateRps: number;
  readonly value: number;
}

/** Lists the rates that are worth a look, the demand first; those that are hardly different from one before them are left out. */
function listTried(
  demandRps: number,
  nowRps: number,
  ratesRps: readonly number[],
  keptRps: number | null,
): readonly number[] {
  const quantiles = TRIED.map(at => Math.max(nowRps, ratesRps[at] ?? demandRps));
  const kept = keptRps !== null && keptRps >= Math.min(...quantiles) ? [keptRps] : [];
  const tried = [demandRps];
  for (const rateRps of [...kept, ...quantiles])
    if (tried.every(other => LEAST_STEP * Math.min(rateRps, other) < Math.max(rateRps, other)) && rateRps < demandRps)
      tried.push(rateRps);
  return tried;
}

/**
 * Whether plans of this pipeline are for what is expected. On a machine that all replicas share lighter variants of one stage take cores from the others
 * (plans for the median were two to three points worse in single runs), a vote has no lighter rungs, and a tuning says its own quantile.
 */
function isExpected(problem: Problem, { forecastQuantile }: Tuning): boolean {
  const { replicas, slo } = POLICIES[problem.pipeline.objective.policy];
  return replicas === "free" && slo === "hard" && mixesVariants(problem) && forecastQuantile === null;
}
