import type { FeatureSet } from "../features.ts";

export interface OwnModelSettings {
  readonly features: FeatureSet;
  readonly leastSeconds: number;
  readonly seeds: readonly number[];
  /** Default: as many passes as each horizon needs. */
  readonly epochs?: number;
}

/** How models of a pipeline's own are trained. */
export const OWN_MODEL: OwnModelSettings = {
  features: "seasonal",
  /** A day of load shows which hours are busy. */
  leastSeconds: 86_400,
  /** Networks of an ensemble. */
  seeds: [1, 2, 3],
};
