import { VariscaleError } from "../domain/errors.ts";
import type { Row, Vote } from "./stage.ts";

/**
 * A `vote` for stages whose output of this name holds the probabilities of classes (FP32 or FP64): every variant votes for its likeliest
 * class, and the output has each class's share of the weights. Other outputs are those of the variant whose vote weighs most.
 *
 * Worked: 0.9 for class 2 at weight 2, 0.6 and 0.7 for class 0 at weights 1 and 2 give [0.6, 0, 0.4].
 */
export function classVote(output: string): (votes: readonly Vote[]) => Row {
  return votes => {
    const heaviest = votes.reduce((most, vote) => (vote.weight > most.weight ? vote : most));
    const tensor = heaviest.output[output];
    if (tensor?.datatype !== "FP32" && tensor?.datatype !== "FP64")
      throw new VariscaleError(
        "internal",
        `classVote("${output}"): the stage has no output of this name in FP32 or FP64`,
      );
    const { datatype, shape } = tensor;
    const data = datatype === "FP32" ? new Float32Array(tensor.data.length) : new Float64Array(tensor.data.length);
    const weights = votes.reduce((sum, { weight }) => sum + weight, 0);
    for (const { weight, output: row } of votes) {
      const likeliest = likeliestOf(row[output]?.data as Float32Array | Float64Array);
      data[likeliest] = (data[likeliest] ?? 0) + weight;
    }
    for (const [index, weight] of data.entries()) data[index] = weight / weights;
    return { ...heaviest.output, [output]: { datatype, shape, data } };
  };
}

/** The first of those that are equally likely. */
function likeliestOf(probabilities: Float32Array | Float64Array): number {
  let likeliest = 0;
  for (let index = 1; index < probabilities.length; index++)
    if ((probabilities[index] ?? 0) > (probabilities[likeliest] ?? 0)) likeliest = index;
  return likeliest;
}
