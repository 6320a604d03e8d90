import type { MeasurementsInput } from "../domain/profile-schema.ts";

/** Fewer items say nothing: all of them may be hard. */
const LEAST_ITEMS = 20;
/** A variant that is never right is told where another one of its stage is right on this share of the items. */
const MUCH = 0.2;

type Accuracy = MeasurementsInput["accuracy"];

/** Why the evaluation must be wrong: by it no answer has anything right, whatever variants serve. Null where it may be right. */
export function findWrongEvaluation(accuracy: Accuracy): string | null {
  const combinations = accuracy?.combinations ?? [];
  const items = Math.max(0, ...combinations.map(one => one.items ?? 0));
  const isRight = combinations.some(one => one.accuracy > 0 || (one.partAccuracy ?? 0) > 0);
  if (isRight || items < LEAST_ITEMS) return null;
  return `by the evaluation none of ${items} items is answered right with any choice of variants, so nothing was written: plans could not choose by it. Correct \`score\` of the evaluation, the labels that \`items\` gives, or \`respond\`, and run the same command again: it measures only the items anew. To plan by service times alone, remove \`evaluation\`.`;
}

/** A sentence for each variant that is never right on right inputs though others of its stage are, and for each stage that never is. */
export function findNeverRight(accuracy: Accuracy): readonly string[] {
  return Object.entries(accuracy?.stages ?? {}).flatMap(([stage, variants]) => {
    const all = Object.entries(variants).toSorted(([, a], [, b]) => b.accuracy - a.accuracy);
    const [bestName, best] = all[0] ?? [];
    if (best === undefined || (best.items ?? 0) < LEAST_ITEMS) return [];
    if (best.accuracy === 0)
      return [
        `stage ${stage} is right on none of ${best.items} items with any variant: look whether \`stageCorrect\` and \`ideal\` of the evaluation mean what its variants give.`,
      ];
    if (best.accuracy < MUCH) return [];
    return all
      .filter(([, { accuracy: own }]) => own === 0)
      .map(
        ([name]) =>
          `${stage}/${name} is right on none of ${best.items} items, and ${bestName} on ${Math.round(100 * best.accuracy)} %: its outputs seem to mean something else than the pipeline's code takes them for (order of classes, scale of inputs). Correct the model or the code and measure again with --fresh, or remove the variant.`,
      );
  });
}
