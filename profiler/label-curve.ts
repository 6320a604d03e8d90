import { type CorrectnessModel, chanceOfRight } from "../domain/correctness-model.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { type Example, estimatedAccuracy } from "./fit-correctness.ts";
import type { ItemResult } from "./item-result.ts";

/** How far estimates of accuracy are off with so many labelled items: means of absolute errors over all combinations and many draws. */
export interface LabelErrors {
  readonly labels: number;
  /** The share of the labelled answers that are right. */
  readonly alone: number;
  /** The estimate without labels less its mean error on the labelled answers (`labelCorrected`). */
  readonly corrected: number;
  /** Of accuracies of stages on right inputs, of the labelled items, their product; null where they were not measured. */
  readonly product: number | null;
  /** The same as a Markov chain with the recovery of the labelled items over all combinations. */
  readonly markov: number | null;
}

/** A combination of variants: its answers to the drifted items, and the model that has not seen this drift. */
export interface LabelCase {
  /** In the order of the stages. */
  readonly variants: readonly string[];
  /** In the order of the items. */
  readonly examples: readonly Example[];
  readonly model: CorrectnessModel;
}

/** Labelled items that somebody may have. */
const COUNTS = [10, 25, 50, 100, 200] as const;
/** Draws of labelled items for each number of them: errors come out to about a tenth of themselves. */
const DRAWS = 100;

/**
 * How few labelled items each estimate needs. Items are drawn with replacement, the same for all estimates: those that were measured stand
 * for all that there could be, so that being drawn from them is no help. Where there are not twice as many items as labels nothing is said.
 *
 * @param random uniform numbers in [0, 1), the same each time for the same result.
 */
export function labelCurve(
  pipeline: Pipeline,
  results: readonly ItemResult[],
  cases: readonly LabelCase[],
  random: () => number,
): readonly LabelErrors[] {
  const chain = chainOf(pipeline, results);
  const all = cases.map(one => {
    const own = pipeline.stages.map((stage, s) =>
      results.map(result => result.stages[stage.name]?.[one.variants[s] ?? ""]),
    );
    return {
      ...one,
      own: own.every(stage => stage.every(right => right !== undefined)) ? own.map(stage => stage.map(Number)) : null,
      accuracy: mean(one.examples.map(({ right }) => Number(right))),
      estimate: estimatedAccuracy(
        one.model,
        one.examples.map(({ signals }) => signals),
      ),
    };
  });
  return COUNTS.filter(labels => results.length >= 2 * labels).map(labels => {
    const errors = Array.from({ length: DRAWS }, () => {
      const drawn = Array.from({ length: labels }, () => Math.floor(random() * results.length));
      const recovery = chain.map(({ recovered, wrong }) => shareOf(drawn, recovered, wrong));
      return all.map(({ examples, model, own, accuracy, estimate }) => {
        const labelled = drawn.flatMap(i => examples[i] ?? []);
        const shares = own?.map(stage => mean(drawn.map(i => stage[i] ?? 0)));
        const errorOf = (value: number): number => Math.abs(value - accuracy);
        return {
          alone: errorOf(mean(labelled.map(({ right }) => Number(right)))),
          corrected: errorOf(labelCorrected(estimate, model, labelled)),
          product: shares ? errorOf(chained(shares, [])) : Number.NaN,
          markov: shares ? errorOf(chained(shares, recovery)) : Number.NaN,
        };
      });
    }).flat();
    const over = (name: "alone" | "corrected" | "product" | "markov") => mean(errors.map(error => error[name]));
    const orNull = (value: number) => (Number.isNaN(value) ? null : value);
    return {
      ...{ labels, alone: over("alone"), corrected: over("corrected") },
      ...{ product: orNull(over("product")), markov: orNull(over("markov")) },
    };
  });
}

/**
 * The estimate without labels less its mean error on labelled items: prediction-powered inference (Angelopoulos et al., Science 2023).
 * Unbiased whatever the model is worth; the better it is, the fewer labels are needed.
 */
export function labelCorrected(estimate: number, model: CorrectnessModel, labelled: readonly Example[]): number {
  const errors = labelled.map(({ signals, right }) => Number(right) - chanceOfRight(model, signals));
  return Math.min(1, Math.max(0, estimate + mean(errors)));
}

/** A_s = A_{s−1}·a_s + (1 − A_{s−1})·r_s with r_s at most a_s; without recovery the product. */
function chained(accuracies: readonly number[], recovery: readonly number[]): number {
  return accuracies.reduce((before, own, s) => before * own + (1 - before) * Math.min(own, recovery[s] ?? 0), 1);
}

/**
 * For every stage and item: in how many combinations the stage before was wrong, and in how many of these the item came out right all the
 * same; by the answer after the last stage.
 */
function chainOf({ stages }: Pipeline, results: readonly ItemResult[]) {
  return stages.map((stage, s) => {
    const before = stages.findIndex(other => other.name === stage.upstream);
    const wrong = results.map(({ combinations }) =>
      before < 0 ? [] : combinations.filter(({ stagesRight }) => stagesRight[before] === false),
    );
    const isLast = s === stages.length - 1;
    const recovered = wrong.map(
      all => all.filter(({ correct, stagesRight }) => (isLast ? correct : stagesRight[s] === true)).length,
    );
    return { recovered, wrong: wrong.map(all => all.length) };
  });
}

/** 0 where there is nothing to have a share of. */
function shareOf(drawn: readonly number[], counted: readonly number[], of: readonly number[]): number {
  const total = (values: readonly number[]) => drawn.reduce((sum, i) => sum + (values[i] ?? 0), 0);
  return total(of) === 0 ? 0 : total(counted) / total(of);
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
