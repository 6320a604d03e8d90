import type { Tuning } from "../control/tuning.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { OpenModel } from "../predictor/network/open-model.ts";
import { simulate } from "../simulator/simulation.ts";
import { type SimulationSummary, summarise } from "../simulator/summary.ts";
import { rounded } from "./plan-summary.ts";
import type { Situation } from "./situation.ts";

/** What a simulation came to, as a model is shown it. */
export interface Outcome
  extends Pick<SimulationSummary, "offered" | "accuracy" | "effectiveAccuracy" | "cores" | "violations" | "switches"> {
  readonly p99Ms: number | null;
  /** weights.accuracy · effectiveAccuracy − weights.cost · cores, with the user's weights. */
  readonly utility: number;
}

/** The least of a load that says something, and the most of it that is simulated. */
export const LEAST_SECONDS = 60;
const MOST_REQUESTS = 200_000;
const WARM_UP_SECONDS = 30;

/** KEDA's and Kubernetes' own. */
export const CLUSTER = { syncMs: 15_000, tolerance: 0, podStartMs: 5000, cooldownMs: 30_000, nodes: null };

/** The load of late once more with a tuning from the start; null: too little of it is known. */
export function simulated(
  situation: Situation,
  tuning: Tuning,
  seconds: number,
  model: OpenModel | null,
): Outcome | null {
  const ratesRps = lately(situation, seconds);
  if (ratesRps.length < LEAST_SECONDS) return null;
  const run = simulate({
    pipeline: { ...situation.pipeline, mode: "active" },
    load: { startMs: situation.atMs - 1000 * ratesRps.length, ratesRps },
    warmUpSeconds: Math.min(WARM_UP_SECONDS, Math.floor(ratesRps.length / 4)),
    history: [],
    model,
    forecast: "variscale",
    cluster: CLUSTER,
    maxCores: situation.limits.cores,
    timeoutMs: null,
    windowSeconds: 10,
    killEveryMs: null,
    seed: 1,
    tuning,
  });
  return outcomeOf(situation.pipeline, summarise(run));
}

export function outcomeOf(pipeline: Pipeline, summary: SimulationSummary): Outcome {
  const { offered, accuracy, effectiveAccuracy, cores, violations, switches, p99Ms } = summary;
  const { weights } = pipeline.objective;
  return {
    offered,
    accuracy: rounded(accuracy),
    effectiveAccuracy: rounded(effectiveAccuracy),
    cores: rounded(cores),
    violations: rounded(violations),
    switches,
    p99Ms: p99Ms === null ? null : rounded(p99Ms),
    utility: weights.accuracy * effectiveAccuracy - weights.cost * cores,
  };
}

function lately({ recentRps }: Situation, seconds: number): Float64Array {
  const rates = recentRps.slice(-seconds);
  let requests = 0;
  let first = rates.length;
  while (first > 0 && requests + (rates[first - 1] ?? 0) <= MOST_REQUESTS) {
    first -= 1;
    requests += rates[first] ?? 0;
  }
  return Float64Array.from(rates.slice(first), rate => rate ?? Number.NaN);
}
