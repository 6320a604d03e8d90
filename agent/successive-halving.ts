/** Of one arm on one load: what counts, and the share of requests that missed the SLO. */
export interface Score {
  readonly utility: number;
  readonly violations: number;
}

/** Runs every arm on every load; scores in the order of both, by arm. Null stands for the default. */
export type Trial<Arm> = (
  arms: readonly (Arm | null)[],
  loads: readonly number[],
) => Promise<readonly (readonly Score[])[]>;

export interface Standing<Arm> {
  /** Null: the default. */
  readonly arm: Arm | null;
  /** In the order of the loads. */
  readonly scores: readonly Score[];
}

/**
 * Best-arm identification by successive halving (Karnin, Koren, Somekh, ICML 2013): all arms on a few loads, the better half on more, until one is
 * left. Arms are compared on the same loads by what they gain on the default; an arm that misses the SLO more often than it may, and more often
 * than the default, goes first. Returns those of the last round, best first, and the default.
 *
 * @param loads all that may be used; the rounds share them out, the last ones get the most.
 * @param mostViolations share of requests that may miss the SLO.
 */
export async function successiveHalving<Arm>(
  arms: readonly Arm[],
  loads: readonly number[],
  trial: Trial<Arm>,
  mostViolations: number,
): Promise<{ readonly ranked: readonly Standing<Arm>[]; readonly untouched: Standing<Arm> }> {
  const rounds = Math.max(1, Math.ceil(Math.log2(Math.max(1, arms.length))));
  let left: readonly Standing<Arm>[] = arms.map(arm => ({ arm, scores: [] }));
  let untouched: Standing<Arm> = { arm: null, scores: [] };
  let used = 0;
  for (let round = 1; round <= rounds && (round === 1 || left.length > 1); round++) {
    const until =
      round === rounds ? loads.length : Math.max(used + 1, Math.floor((loads.length * round ** 2) / rounds ** 2));
    const next = loads.slice(used, until);
    used = Math.min(loads.length, until);
    if (next.length > 0) {
      const [ofDefault = [], ...scores] = await trial([null, ...left.map(({ arm }) => arm)], next);
      untouched = { arm: null, scores: [...untouched.scores, ...ofDefault] };
      left = left.map(({ arm, scores: before }, i) => ({ arm, scores: [...before, ...(scores[i] ?? [])] }));
    }
    left = rankedBy(left, untouched, mostViolations).slice(0, Math.max(1, Math.ceil(left.length / 2)));
  }
  return { ranked: left, untouched };
}

function rankedBy<Arm>(
  standings: readonly Standing<Arm>[],
  untouched: Standing<Arm>,
  mostViolations: number,
): readonly Standing<Arm>[] {
  const bound = Math.max(mostViolations, meanOf(untouched, "violations"));
  const value = (standing: Standing<Arm>): number => {
    const over = meanOf(standing, "violations") - bound;
    return over > 1e-9 ? -1e6 - over : meanOf(standing, "utility");
  };
  return standings.toSorted((a, b) => value(b) - value(a));
}

export function meanOf<Arm>({ scores }: Standing<Arm>, of: keyof Score): number {
  return scores.reduce((sum, score) => sum + score[of], 0) / Math.max(1, scores.length);
}
