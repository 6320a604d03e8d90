import { configurationOf } from "../domain/plan.ts";
import { optimizeFleet } from "../optimizer/fleet.ts";
import { labelScopeOf } from "../optimizer/label-scope.ts";
import { searchLabels } from "../optimizer/label-search.ts";
import { optimize } from "../optimizer/optimize.ts";
import { scopeOf } from "../optimizer/scope.ts";
import { type Figure, figure } from "./figure.ts";
import { IPA_PIPELINES, ipaPipeline } from "./ipa-pipelines.ts";
import { type InstanceSize, problemWith, randomInstance } from "./optimizer-instances.ts";
import { loadHighs, logProblem, milpOf, solveMilp } from "./optimizer-milp.ts";
import { generatedPipeline } from "./scaler-pipelines.ts";

const INSTANCES = 200;
const WARM_UP = 200;
const SHORT_INSTANCES = 20;
const LARGE: InstanceSize = { stages: 10, variants: 10, batches: 7 };
const SMALL: InstanceSize = { stages: 3, variants: 6, batches: 7 };
const FLEET = 1_000;
const SHARING = 100;
const SHARED_SECONDS = 1;

/** How long plans take, against HiGHS where it can solve the same problem, and how many of them are proven best. */
export async function optimizerSuite(): Promise<Figure[]> {
  const isShort = process.argv.includes("--short");
  const count = isShort ? SHORT_INSTANCES : INSTANCES;
  const large = productTimes(LARGE, count);
  const small = productTimes(SMALL, count);
  const isWhole = (times: Times) => !isShort && times.unproven === 0;
  return [
    figure("optimizer.product10x10x7.medianMs", round(quantile(large.ms, 0.5)), {
      against: { p95Ms: round(quantile(large.ms, 0.95)), unproven: large.unproven, infeasible: large.infeasible },
      isWhole: isWhole(large),
      note: `${count} random chains of 10 stages, 10 variants, 7 batch sizes, policy ipa; the whole of optimize()`,
    }),
    figure("optimizer.product10x10x7.worstMs", round(quantile(large.ms, 1)), { isWhole: isWhole(large) }),
    figure("optimizer.product3x6x7.medianMs", round(quantile(small.ms, 0.5)), {
      against: { worstMs: round(quantile(small.ms, 1)), unproven: small.unproven, infeasible: small.infeasible },
      isWhole: isWhole(small),
      note: `${count} random chains`,
    }),
    await logAgainstHighs(isShort ? SHORT_INSTANCES : INSTANCES, isShort),
    ipaMedian(),
    fleetSeconds(),
    sharedGap(),
  ];
}

interface Times {
  readonly ms: readonly number[];
  readonly unproven: number;
  readonly infeasible: number;
}

/** Every instance once, after 200 others of its size have warmed the code up. */
function productTimes(size: InstanceSize, count: number): Times {
  // Made beforehand: reading them leaves more to collect than planning does.
  const problems = Array.from({ length: WARM_UP + count }, (_, seed) => randomInstance(size, 1_000_000 + seed));
  for (const problem of problems.slice(0, WARM_UP)) optimize(problem);
  const ms: number[] = [];
  let unproven = 0;
  let infeasible = 0;
  for (const problem of problems.slice(WARM_UP)) {
    const startMs = performance.now();
    const plan = optimize(problem);
    ms.push(performance.now() - startMs);
    if (!plan.optimal) unproven++;
    if (!plan.feasible) infeasible++;
  }
  return { ms: ms.sort((a, b) => a - b), unproven, infeasible };
}

/** Median of ours over the median of HiGHS (WebAssembly, in this process), each from the same options to the optimum. */
async function logAgainstHighs(count: number, isShort: boolean): Promise<Figure> {
  const highs = await loadHighs();
  const ours: number[] = [];
  const theirs: number[] = [];
  let differing = 0;
  for (let seed = 0; seed < count; seed++) {
    const problem = logProblem(labelScopeOf(scopeOf(randomInstance(LARGE, seed)), "hard").problem);
    const program = milpOf(problem);
    const startMs = performance.now();
    const found = searchLabels(problem);
    const middleMs = performance.now();
    const solution = solveMilp(highs, problem, program);
    theirs.push(performance.now() - middleMs);
    ours.push(middleMs - startMs);
    const difference = Math.abs(found.objective - (solution.objective ?? -Infinity));
    if (!found.isProven || (found.options !== null && difference > 1e-6 * (1 + Math.abs(found.objective)))) differing++;
  }
  ours.sort((a, b) => a - b);
  theirs.sort((a, b) => a - b);
  return figure("optimizer.log10x10x7.vsHighs", round(quantile(ours, 0.5) / quantile(theirs, 0.5)), {
    against: {
      oursMs: round(quantile(ours, 0.5)),
      highsMs: round(quantile(theirs, 0.5)),
      oursWorstMs: round(quantile(ours, 1)),
      highsWorstMs: round(quantile(theirs, 1)),
      differing,
    },
    isWhole: !isShort && differing === 0,
    note: `${count} random chains of 10 stages, 10 variants, 7 batch sizes, with the log of the accuracy`,
  });
}

/** IPA's pipelines at 100 loads each, with all seven batch sizes. */
function ipaMedian(): Figure {
  const ms: number[] = [];
  let unproven = 0;
  for (const given of IPA_PIPELINES) {
    const pipeline = ipaPipeline(given, { policy: "ipa", batchingCap: 64 });
    for (let i = 0; i < 120; i++) {
      const problem = problemWith(pipeline, 3 + ((i * 7) % 31));
      const startMs = performance.now();
      const plan = optimize(problem);
      if (i >= 20) ms.push(performance.now() - startMs);
      if (!plan.optimal) unproven++;
    }
  }
  ms.sort((a, b) => a - b);
  return figure("optimizer.ipaPipelines.medianMs", round(quantile(ms, 0.5)), {
    against: { worstMs: round(quantile(ms, 1)), unproven },
    isWhole: unproven === 0,
    note: "five pipelines of IPA, seven batch sizes, 100 loads each",
  });
}

/** 100 pipelines on 60 % of the cores that they would take: how far from the best together at most, and how long that takes. */
function sharedGap(): Figure {
  const problems = Array.from({ length: SHARING }, (_, i) =>
    problemWith(generatedPipeline(i), 20 + 60 * (((i * 37) % SHARING) / SHARING)),
  );
  const none = { cores: null, memoryMiB: null, nodes: null };
  const cores = 0.6 * optimizeFleet(problems, none).cores + 0.2;
  const startMs = performance.now();
  const fleet = optimizeFleet(problems, { ...none, cores });
  const seconds = (performance.now() - startMs) / 1000;
  return figure("optimizer.fleet.sharedGap", round((100 * fleet.gap) / Math.abs(fleet.objective)), {
    against: { seconds: round(seconds), cores: fleet.cores, limit: round(cores) },
    isWhole: fleet.feasible && seconds <= SHARED_SECONDS,
    note: `${SHARING} pipelines of 3 stages, policy default; in ${SHARED_SECONDS} s at most`,
  });
}

/** Plans for 1,000 pipelines whose load has changed, one after the other. */
function fleetSeconds(): Figure {
  const problems = Array.from({ length: FLEET }, (_, i) =>
    problemWith(generatedPipeline(i), 60 + 50 * Math.sin(i / 7)),
  );
  const changed = problems.map((problem, i) => ({
    ...problem,
    rateRps: problem.rateRps * (1 + 0.2 * Math.sin(i)),
    current: configurationOf(optimize(problem)),
  }));
  const startMs = performance.now();
  const { plans } = optimizeFleet(changed, { cores: null, memoryMiB: null, nodes: null });
  const seconds = (performance.now() - startMs) / 1000;
  const unproven = plans.filter(plan => !plan.optimal).length;
  return figure("optimizer.fleet.seconds", round(seconds), {
    against: { unproven },
    isWhole: unproven === 0,
    note: `${FLEET} pipelines of 3 stages, 4 variants and 5 batch sizes, policy default (distributions of latency), without runners-up`,
  });
}

/** Of sorted values. */
function quantile(values: readonly number[], share: number): number {
  return values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
