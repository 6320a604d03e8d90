import type { Tuning } from "../control/tuning.ts";
import { bootstrapMean, type Interval } from "./bootstrap.ts";
import { meanOf, type Score, type Standing, successiveHalving, type Trial } from "./successive-halving.ts";

export interface SearchOptions {
  readonly arms: readonly Tuning[];
  /** Seeds of the loads to choose by, and of those to score on: none is in both. */
  readonly training: readonly number[];
  readonly unseen: readonly number[];
  readonly trial: Trial<Tuning>;
  /** Share of requests that may miss the SLO. */
  readonly mostViolations: number;
  readonly random: () => number;
}

export interface SearchOutcome {
  /** The arm that was best on the training loads. */
  readonly best: Tuning | null;
  /** Its gain on the default there, in utility. */
  readonly trained: Interval;
  /** False: the gain could be chance, and the default is kept. */
  readonly isTaken: boolean;
  /** Of `best` on the unseen loads, taken or not. */
  readonly unseen: Interval;
  /** The same load by load. */
  readonly gains: readonly number[];
  /** On the unseen loads. */
  readonly ofDefault: Score;
  readonly ofBest: Score;
}

/** Chooses a tuning by the training loads and scores it on the unseen ones, against the default, load by load. */
export async function searchTuning(options: SearchOptions): Promise<SearchOutcome> {
  const { arms, training, unseen, trial, mostViolations, random } = options;
  const { ranked, untouched } = await successiveHalving(arms, training, trial, mostViolations);
  const [first] = ranked;
  const best = first?.arm ?? null;
  const trained = bootstrapMean(first ? gains(first, untouched) : [], random);
  const bound = Math.max(mostViolations, meanOf(untouched, "violations"));
  const isTaken = first !== undefined && trained.low > 0 && meanOf(first, "violations") <= bound + 1e-9;
  const [ofDefault = [], ofBest = []] = await trial([null, best], unseen);
  const [before, after] = [
    { arm: null, scores: ofDefault },
    { arm: best, scores: ofBest },
  ];
  const score = (standing: Standing<Tuning>): Score => ({
    utility: meanOf(standing, "utility"),
    violations: meanOf(standing, "violations"),
  });
  return {
    best,
    trained,
    isTaken,
    unseen: bootstrapMean(gains(after, before), random),
    gains: gains(after, before),
    ofDefault: score(before),
    ofBest: score(after),
  };
}

function gains<Arm>({ scores }: Standing<Arm>, untouched: Standing<Arm>): readonly number[] {
  return scores.map(({ utility }, i) => utility - (untouched.scores[i]?.utility ?? 0));
}
