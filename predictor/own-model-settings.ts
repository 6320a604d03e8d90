import type { FeatureSet } from "./features.ts";

/** How models of a pipeline's own are trained. */
export const OWN_MODEL: {
  readonly features: FeatureSet;
  readonly leastSeconds: number;
  readonly seeds: readonly number[];
} = {
  features: "seasonal",
  /** A day of load shows which hours are busy. */
  leastSeconds: 86_400,
  /** Networks of an ensemble. */
  seeds: [1, 2, 3],
};
