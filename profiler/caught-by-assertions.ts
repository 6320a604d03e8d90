import { BROKEN } from "../gateway/signals.ts";
import type { ItemResult } from "./item-result.ts";
import { clusteredInterval } from "./wilson-interval.ts";

/** A share of answers. */
export interface AnswerShare {
  /** Null where there are no answers to have a share of. */
  readonly share: number | null;
  /** Answers that it is a share of: every item has one by each combination of variants. */
  readonly answers: number;
  /** 95 %, of items that are drawn anew; null as the share is. */
  readonly interval: readonly [number, number] | null;
}

/** What an assertion finds of the answers of all combinations of variants. */
export interface Caught {
  /** Null: any of the assertions. */
  readonly assertion: string | null;
  /** Of the wrong answers those that break it: what it catches. */
  readonly ofWrong: AnswerShare;
  /** Of the right answers those that break it: false alarms. */
  readonly ofRight: AnswerShare;
  /** Of the answers that break it the wrong ones: its precision, at this accuracy of the answers. */
  readonly wrongOfBroken: AnswerShare;
}

interface Answer {
  readonly isRight: boolean;
  readonly isBroken: boolean;
}

/** Every assertion of the pipeline's code in its order, and all of them together; nothing for code without assertions. */
export function caughtByAssertions(results: readonly ItemResult[]): readonly Caught[] {
  const names = Object.keys(results[0]?.combinations[0]?.signals ?? {}).filter(name => name.startsWith(BROKEN));
  if (names.length === 0) return [];
  const each = names.map(name => caughtBy(results, name.slice(BROKEN.length), [name]));
  return [...each, caughtBy(results, null, names)];
}

/** @param names signals, one of which is enough. */
function caughtBy(results: readonly ItemResult[], assertion: string | null, names: readonly string[]): Caught {
  const items = results.map(({ combinations }) =>
    combinations.map(({ correct, signals }) => ({
      isRight: correct,
      isBroken: names.some(name => signals[name] === 1),
    })),
  );
  return {
    assertion,
    ofWrong: shareOf(
      items,
      answer => !answer.isRight,
      answer => answer.isBroken,
    ),
    ofRight: shareOf(
      items,
      answer => answer.isRight,
      answer => answer.isBroken,
    ),
    wrongOfBroken: shareOf(
      items,
      answer => answer.isBroken,
      answer => !answer.isRight,
    ),
  };
}

function shareOf(
  items: readonly (readonly Answer[])[],
  isOne: (answer: Answer) => boolean,
  counts: (answer: Answer) => boolean,
): AnswerShare {
  const clusters = items.map(answers => {
    const all = answers.filter(isOne);
    return { successes: all.filter(counts).length, trials: all.length };
  });
  const answers = clusters.reduce((sum, { trials }) => sum + trials, 0);
  if (answers === 0) return { share: null, answers, interval: null };
  const successes = clusters.reduce((sum, cluster) => sum + cluster.successes, 0);
  return { share: successes / answers, answers, interval: clusteredInterval(clusters) };
}
