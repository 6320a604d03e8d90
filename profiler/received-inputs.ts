import type { Pipeline } from "../domain/pipeline.ts";
import type { ReceivedCounts } from "../domain/profile-schema.ts";

/** Of an item by a combination of variants. */
interface Outcome {
  /** By stage, given what it got. */
  readonly stagesRight: readonly boolean[];
  /** Of the answer. */
  readonly correct: boolean;
}

/**
 * How often stages are right on the inputs that they really got, for every choice of variants up to each stage, counted in items; with
 * that of the stage upstream, and for the last stage with the answer. A stage sees no variants that come after it, so that all
 * combinations that are the same up to it count as one.
 *
 * @param combinations of variants, in the order of each result's `combinations`.
 */
export function receivedOf(
  { stages }: Pipeline,
  combinations: readonly (readonly string[])[],
  results: readonly { readonly combinations: readonly Outcome[] }[],
): ReceivedCounts[] {
  return stages.flatMap((stage, s) => {
    const upstream = stages.findIndex(other => other.name === stage.upstream);
    return combinations.flatMap((combination, c) => {
      const isFirst = combination.every((variant, after) => after <= s || variant === stages[after]?.variants[0]?.name);
      if (!isFirst) return [];
      const outcomes = results.flatMap(result => result.combinations[c] ?? []);
      const variants = Object.fromEntries(stages.slice(0, s + 1).map(({ name }, i) => [name, combination[i] ?? ""]));
      return {
        ...{ stage: stage.name, variants, items: outcomes.length },
        right: count(outcomes, ({ stagesRight }) => stagesRight[s] === true),
        ...(upstream >= 0 && { before: beforeOf(outcomes, upstream, s) }),
        ...(s === stages.length - 1 && { answers: answersOf(outcomes, upstream) }),
      };
    });
  });
}

function beforeOf(outcomes: readonly Outcome[], upstream: number, stage: number): ReceivedCounts["before"] {
  const both = (before: boolean, own: boolean): number =>
    count(outcomes, ({ stagesRight }) => stagesRight[upstream] === before && stagesRight[stage] === own);
  return {
    bothRight: both(true, true),
    rightAfterWrong: both(false, true),
    wrongAfterRight: both(true, false),
    bothWrong: both(false, false),
  };
}

function answersOf(outcomes: readonly Outcome[], upstream: number): ReceivedCounts["answers"] {
  const after = (before: boolean): number =>
    count(outcomes, ({ stagesRight, correct }) => correct && (stagesRight[upstream] ?? true) === before);
  return {
    allStagesRight: count(outcomes, ({ stagesRight }) => stagesRight.every(Boolean)),
    rightAfterRight: after(true),
    rightAfterWrong: after(false),
  };
}

function count(outcomes: readonly Outcome[], counts: (outcome: Outcome) => boolean): number {
  return outcomes.filter(counts).length;
}
