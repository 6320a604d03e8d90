import { armsOf } from "../../agent/arms.ts";
import type { AgentLimits } from "../../agent/limits.ts";
import { outcomeOf } from "../../agent/simulated-change.ts";
import type { Score, Trial } from "../../agent/successive-halving.ts";
import { mostCarriedRps, tuningLoad } from "../../agent/tuning-load.ts";
import { type SearchOutcome, searchTuning } from "../../agent/tuning-search.ts";
import { type Tuning, UNTUNED } from "../../control/tuning.ts";
import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { partSeed, seededRandom } from "../../load/seeded-random.ts";
import { casesFor, type SimulationCase } from "../simulate/cases.ts";
import { PLAIN_CASE } from "../simulate/plain-case.ts";
import { runAll } from "../simulate/run-all.ts";

export interface TuneOptions {
  readonly limits: AgentLimits;
  /** Mean of the loads; null: a share of what the pipeline can carry. */
  readonly rps: number | null;
  /** Numbers of loads. */
  readonly training: number;
  readonly unseen: number;
  /** Of each load, in seconds. */
  readonly length: number;
  readonly jobs: number | null;
  readonly onProgress: (share: number) => void;
}

export interface Tuned extends SearchOutcome {
  readonly rps: number;
  readonly arms: number;
}

/** Arms that are tried, of all that the limits allow. */
const ARMS = 24;
/** Mean of the loads over what the pipeline can carry at most: their peaks are two or three times as high. */
const SHARE = 0.3;
const PAST_SECONDS = 1800;
const WARM_UP_SECONDS = 120;
const SEED = 7;

/** Searches for a tuning under generated loads: training loads have other seeds than unseen ones. */
export async function tuneInSimulator(pipeline: Pipeline, options: TuneOptions): Promise<Tuned> {
  const rps = options.rps ?? SHARE * mostCarriedRps(pipeline);
  if (!(rps > 0))
    throw new VariscaleError(
      "failed_precondition",
      "no configuration of the pipeline meets every constraint at any load: look at `variscale plan`",
    );
  const { slo, objective } = pipeline;
  const arms = armsOf(objective.weights, options.limits, seededRandom(SEED)).slice(0, ARMS);
  const total = trialsOf(arms.length, options.training) + 2 * options.unseen;
  let done = 0;
  const trial: Trial<Tuning> = async (tried, loads) => {
    const cases = await Promise.all(loads.map(seed => caseOf(pipeline, rps, seed, options.length)));
    const all = tried.flatMap(arm => cases.map((one): SimulationCase => ({ ...one, tuning: arm ?? UNTUNED })));
    const results = await runAll(all, options.jobs, share =>
      options.onProgress(Math.min(1, (done + share * all.length) / total)),
    );
    done += all.length;
    return tried.map((_, a) =>
      loads.map((_load, l): Score => {
        const summary = results[a * loads.length + l]?.summary;
        if (!summary) throw new VariscaleError("internal", "a simulation has no result");
        return { utility: outcomeOf(pipeline, summary).utility, violations: summary.violations };
      }),
    );
  };
  const outcome = await searchTuning({
    arms,
    training: seeds(1, options.training),
    unseen: seeds(2, options.unseen),
    trial,
    mostViolations: 1 - slo.quantile,
    random: seededRandom(partSeed(SEED, 3)),
  });
  return { ...outcome, rps, arms: arms.length };
}

/** About how many simulations the search takes. */
function trialsOf(arms: number, loads: number): number {
  return Math.round(arms * loads * 0.5);
}

function seeds(part: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => partSeed(partSeed(SEED, part), i));
}

async function caseOf(pipeline: Pipeline, rps: number, seed: number, length: number): Promise<SimulationCase> {
  const trace = tuningLoad(seed, rps, PAST_SECONDS + WARM_UP_SECONDS + length);
  const [first] = await casesFor(
    pipeline,
    { name: `load ${seed}`, trace },
    {
      ...PLAIN_CASE,
      length,
      warmUp: WARM_UP_SECONDS,
      seed,
    },
  );
  if (!first) throw new VariscaleError("internal", "there is nothing to simulate");
  return first;
}
