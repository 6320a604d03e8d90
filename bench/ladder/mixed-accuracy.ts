/** How answers whose rows several variants served compare with what was expected of them. */

/** The share of the rows that each variant served, by stage; empty where a stage had none. */
export type StageShares = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface MixedAnswer {
  readonly isRight: boolean;
  /** Rows of the request in all stages. */
  readonly rows: number;
  /** From 0 to 1: how often such an answer should be right. */
  readonly expected: number;
}

export interface RowDifference {
  /** Rows of the requests of this group. */
  readonly fewest: number;
  readonly most: number;
  readonly answers: number;
  readonly rightPercent: number;
  /** How much more often they were right than expected. */
  readonly points: number;
}

const GROUPS = 3;

/**
 * The accuracy of combinations weighted by how much of the rows each would have served, were the variants of the stages independent of each other.
 * A stage that had no rows leaves open which variant it is: all of them count alike.
 */
export function expectAccuracy(
  stages: readonly string[],
  shares: StageShares,
  table: readonly { readonly variants: readonly string[]; readonly accuracy: number }[],
): number {
  let sum = 0;
  let weights = 0;
  for (const { variants, accuracy } of table) {
    const weight = stages.reduce((product, stage, s) => {
      const own = shares[stage] ?? {};
      return Object.keys(own).length === 0 ? product : product * (own[variants[s] ?? ""] ?? 0);
    }, 1);
    sum += weight * accuracy;
    weights += weight;
  }
  return sum / weights;
}

/**
 * Groups of about as many answers each, by their rows; answers with as many rows are in one group. A few answers say nothing by themselves: each group has at
 * least half of an equal part.
 */
export function compareByRows(answers: readonly MixedAnswer[]): readonly RowDifference[] {
  const sorted = answers.toSorted((a, b) => a.rows - b.rows);
  const groups: MixedAnswer[][] = [];
  const fewest = sorted.length / (2 * GROUPS);
  for (const [at, answer] of sorted.entries()) {
    const last = groups.at(-1);
    const isDue = at >= (groups.length * sorted.length) / GROUPS;
    const areEnough = (last?.length ?? 0) >= fewest && sorted.length - at >= fewest;
    if (!last || (isDue && areEnough && last.at(-1)?.rows !== answer.rows)) groups.push([answer]);
    else last.push(answer);
  }
  return groups.map(group => {
    const right = group.filter(({ isRight }) => isRight).length / group.length;
    const expected = group.reduce((sum, answer) => sum + answer.expected, 0) / group.length;
    return {
      fewest: group[0]?.rows ?? 0,
      most: group.at(-1)?.rows ?? 0,
      answers: group.length,
      rightPercent: 100 * right,
      points: 100 * (right - expected),
    };
  });
}

/** The difference over the answers of all groups. */
export function averagePoints(groups: readonly RowDifference[]): number {
  const answers = groups.reduce((sum, group) => sum + group.answers, 0);
  return groups.reduce((sum, group) => sum + group.points * group.answers, 0) / answers;
}
