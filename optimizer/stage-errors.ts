import type { ReceivedCounts } from "../domain/profile-schema.ts";
import { conditionalAccuracy, frechetBounds, pairAccuracy } from "./error-correlation.ts";

/** How the errors of a stage hang together with those of the stage before it, both on the inputs that they really got. Shares, 0 to 1. */
export interface StageErrors {
  /** Of the stage and of all before it. */
  readonly variants: Readonly<Record<string, string>>;
  /** Items that the stage before was right on. */
  readonly before: number;
  /** Items that this one was right on. */
  readonly own: number;
  readonly both: number;
  /** Of the items that the one before was right on those that this one was; NaN where there are none. */
  readonly afterRight: number;
  /** Of the items that the one before was wrong on those that this one was right on, given what it got; NaN where there are none. */
  readonly afterWrong: number;
  /** Recovery r: of the items that the one before was wrong on those that come out right all the same; NaN where there are none. */
  readonly recovery: number;
  /**
   * κ: P[right | the one before right] over the accuracy on right inputs. 1: errors are independent; above 1: hard items are hard for both;
   * below 1: the one before makes inputs that this one was not measured on.
   */
  readonly agreement: number;
  /** ρ of right and wrong of both; NaN where one of them was always right, or never. */
  readonly correlation: number;
  /** Between which `both` lies whatever the dependence: of the same items and events, so that it always does. */
  readonly bounds: readonly [least: number, most: number];
}

/**
 * @param counts of one choice of variants.
 * @param accuracy of the stage's variant on right inputs.
 * @returns null for a stage that has none before it.
 */
export function stageErrors(counts: ReceivedCounts, accuracy: number): StageErrors | null {
  if (!counts.before || counts.items === 0) return null;
  const { bothRight, rightAfterWrong, wrongAfterRight } = counts.before;
  const [before, own] = [bothRight + wrongAfterRight, bothRight + rightAfterWrong].map(
    items => items / counts.items,
  ) as [number, number];
  const both = bothRight / counts.items;
  const [recovered, wrong] = recoveredOf(counts);
  return {
    ...{ variants: counts.variants, before, own, both },
    afterRight: bothRight / (bothRight + wrongAfterRight),
    afterWrong: rightAfterWrong / wrong,
    recovery: recovered / wrong,
    agreement: accuracy > 0 ? conditionalAccuracy(bothRight, bothRight + wrongAfterRight, accuracy) / accuracy : 1,
    correlation: (both - before * own) / Math.sqrt(before * (1 - before) * own * (1 - own)),
    bounds: frechetBounds([before, own]),
  };
}

/**
 * Recovery of a stage over all its choices of variants together: the r of a Markov chain (`AccuracyModel`). NaN where the stage before
 * was never wrong, or nothing was counted.
 */
export function recoveryOf(received: readonly ReceivedCounts[], stage: string): number {
  const counts = received.filter(one => one.stage === stage && one.before).map(recoveredOf);
  const total = (index: 0 | 1) => counts.reduce((sum, one) => sum + one[index], 0);
  return total(0) / total(1);
}

/**
 * Share of items that both stages are right on by their own accuracies and the mean correlation of errors of the stage's *other* choices of
 * variants: how far one ρ goes. NaN where no other has one.
 */
export function bothRightByOthers(own: StageErrors, others: readonly StageErrors[]): number {
  const known = others.map(({ correlation }) => correlation).filter(Number.isFinite);
  if (known.length === 0) return Number.NaN;
  return pairAccuracy(own.before, own.own, known.reduce((sum, rho) => sum + rho, 0) / known.length);
}

/** Items that came out right, of those that the stage before was wrong on: by the answer where the stage is the last one. */
function recoveredOf({ before, answers }: ReceivedCounts): readonly [recovered: number, wrong: number] {
  const right = before?.rightAfterWrong ?? 0;
  return [answers?.rightAfterWrong ?? right, right + (before?.bothWrong ?? 0)];
}
