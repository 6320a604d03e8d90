import { z } from "zod";
import { correctnessModelSchema } from "./correctness-model.ts";
import { name } from "./profile-schema.ts";

const variants = z.record(name, name);

/** The model that estimates the accuracy of one combination of variants without labels. */
const estimatorSchema = z.strictObject({ variants, model: correctnessModelSchema });

/** What is read of the file that `variscale drift` writes. */
export const driftFileSchema = z.object({ estimators: z.array(estimatorSchema).max(10_000) });

export type AccuracyEstimator = z.output<typeof estimatorSchema>;

/** What a gateway has seen of the answers of one combination of variants since its start. */
export interface AccuracyEstimate {
  /** By stage. */
  readonly variants: Readonly<Record<string, string>>;
  readonly requests: number;
  /** How many of them are right by their chances; a sum, not a whole number. */
  readonly right: number;
  /** How many of them somebody labelled since. */
  readonly labels: number;
  /** Sum over those of 1 (right) or 0 (wrong) less the chance that they had. */
  readonly correction: number;
}

export const NO_ANSWERS: Omit<AccuracyEstimate, "variants"> = { requests: 0, right: 0, labels: 0, correction: 0 };

/** Adds so many times the answers of one combination to others of it; -1 takes them away. */
export function addTimes(
  { requests, right, labels, correction }: typeof NO_ANSWERS,
  added: AccuracyEstimate,
  times: number,
): AccuracyEstimate {
  return {
    variants: added.variants,
    requests: requests + times * added.requests,
    right: right + times * added.right,
    labels: labels + times * added.labels,
    correction: correction + times * added.correction,
  };
}
