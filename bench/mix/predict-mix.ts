import { type ServedReplica, type SolvedChain, solveChain } from "./batch-chain.ts";

/** Several replicas that share the calls of a stage: `callsPerMs` are those of all of them. */
export interface ServedStage extends Omit<ServedReplica, "weigh"> {
  readonly replicas: number;
}

/** The variants that serve a stage at one rate. */
export interface Mix extends Pick<SolvedChain, "shares" | "meanRows"> {
  /** The share of the time in which a replica has something to do. */
  readonly busy: number;
}

const ROUNDS = 4;
/** One call in twelve days. */
const FEWEST_PER_MS = 1e-9;

/**
 * Predicts which share of the rows each rung serves. A gateway sends a call to the less busy of two replicas taken at random, so that one with `x`
 * rows gets λ · (P(at least x) + P(at least x + 1)) of many replicas (Mitzenmacher, IEEE TPDS 12, 2001, §3); of few ones the other is more often
 * busy at the same time, and it gets less of the difference.
 */
export function predictMix({ replicas, callsPerMs, ...stage }: ServedStage): Mix {
  // A stage that nothing comes to is served as the first call would be.
  if (callsPerMs === 0) return { ...predictMix({ ...stage, replicas, callsPerMs: FEWEST_PER_MS }), busy: 0 };
  const replica: ServedReplica = { ...stage, callsPerMs: callsPerMs / replicas };
  let solved = solveChain(replica);
  let outstanding = solved.outstanding;
  for (let round = 0; replicas > 1 && round < ROUNDS; round += 1) {
    const known = outstanding;
    const atLeast = (rows: number): number => known[Math.min(rows, known.length - 1)] as number;
    const weigh = (rows: number): number => 1 + ((replicas - 1) / replicas) * (atLeast(rows) + atLeast(rows + 1) - 1);
    solved = solveChain({ ...replica, weigh });
    // Half a step: a whole one overshoots.
    outstanding = solved.outstanding.map((share, rows) => (share + (known[rows] as number)) / 2);
  }
  const { shares, meanRows } = solved;
  return { shares, meanRows, busy: solved.outstanding[1] as number };
}
