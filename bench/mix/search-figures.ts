import type { Likely } from "../../domain/load.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { configurationOf } from "../../domain/plan.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { searchMix, type ValuedPlan } from "../../optimizer/mix/search-mix.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { OWN_PIPELINES, ownPipeline } from "../experiments/own-pipelines.ts";
import { type Figure, figure } from "../figure.ts";
import { problemWith } from "../optimizer-instances.ts";
import { searchAll } from "./search-all.ts";

const [LOADS, SHORT_LOADS] = [40, 3];
const SEED = 7;
/** Deviations of a normal distribution at the levels of RATE_QUANTILES and QUANTILES. */
const RATE_DEVIATIONS = [-1.645, -1.282, -0.674, 0, 0.674, 1.282, 1.645, 2.326];
const PEAK_DEVIATIONS = [0, 1.282, 1.645, 2.326];

interface Compared {
  readonly pipeline: string;
  /** Objective of the best plan less that of the one that was found. */
  readonly lost: number;
  readonly searchMs: number;
}

/** How good the plans are that are searched for over the rates that may come, against a look at all of them, for random loads of our pipelines. */
export function measureSearch(isShort: boolean): Figure[] {
  const loads = isShort ? SHORT_LOADS : LOADS;
  const compared = OWN_PIPELINES.flatMap(name => comparePlans(ownPipeline(name), name, loads));
  const found = compared.filter(({ lost }) => lost < 1e-6).length;
  const medianMs = compared.map(({ searchMs }) => searchMs).sort((a, b) => a - b)[Math.floor(compared.length / 2)] ?? 0;
  const lostBy = OWN_PIPELINES.map(name => {
    const lost = compared.filter(({ pipeline }) => pipeline === name).map(one => one.lost);
    return [name, round(Math.max(...lost))] as const;
  });
  return [
    figure("mix.search.bestPercent", round((100 * found) / compared.length), {
      against: { ...Object.fromEntries(lostBy), medianMs: round(medianMs) },
      isWhole: !isShort,
      note: `of ${compared.length} random loads, of those that any plan serves, that have the best of all plans (variant, batch size and replicas of both stages); beside it what is lost of the objective at worst, by pipeline, and the time of a search`,
    }),
  ];
}

function comparePlans(pipeline: Pipeline, name: string, loads: number): readonly Compared[] {
  const random = seededRandom(SEED);
  const mostRps = findMost(pipeline);
  return Array.from({ length: loads }).flatMap((): Compared[] => {
    const { rateRps, nowRps, likely } = createLoad(mostRps, random);
    const problem = { ...problemWith(pipeline, rateRps), combine: {} };
    const startMs = performance.now();
    const found = search(problem, nowRps, likely);
    const searchMs = performance.now() - startMs;
    const best = searchAll(problem, likely);
    return best ? [{ pipeline: name, lost: loseBetween(best, found), searchMs }] : [];
  });
}

function search(problem: Problem, nowRps: number, likely: Likely): ValuedPlan | null {
  const starts = [problem.rateRps, nowRps].map(rateRps => optimize({ ...problem, rateRps, runnerUp: false }));
  return searchMix(problem, likely, starts.map(configurationOf));
}

/** A plan that serves too little where another one serves enough loses all that answers are worth. */
function loseBetween(best: ValuedPlan, found: ValuedPlan | null): number {
  if (!found || found.isEnough !== best.isEnough) return 1;
  return Math.max(0, best.value - found.value);
}

interface RandomLoad {
  readonly rateRps: number;
  readonly nowRps: number;
  readonly likely: Likely;
}

/** A load of a fiftieth to all of what the lightest variants carry, which may be up to half a magnitude higher or lower soon. */
function createLoad(mostRps: number, random: () => number): RandomLoad {
  const medianRps = mostRps * 10 ** (-1.7 * random());
  const deviation = 0.03 + 0.5 * random() ** 2;
  const nowRps = medianRps * Math.exp(deviation * (random() - 0.5));
  const above = 1 + 0.3 * random() + 1 / Math.sqrt(medianRps);
  const ratesRps = RATE_DEVIATIONS.map(z => Math.max(z < 0 ? 0 : nowRps, medianRps * Math.exp(deviation * z)));
  const peaksRps = PEAK_DEVIATIONS.map(z => above * medianRps * Math.exp(deviation * z));
  return { rateRps: Math.max(peaksRps[2] ?? 0, nowRps), nowRps, likely: { ratesRps, peaksRps } };
}

/** About the highest rate that any plan carries. */
function findMost(pipeline: Pipeline): number {
  let rateRps = 1;
  while (rateRps < 1e6 && optimize({ ...problemWith(pipeline, rateRps), combine: {}, runnerUp: false }).feasible)
    rateRps *= 1.3;
  return rateRps;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
