/** Optimisation problems that a pipeline file may name; optimizer/policies.ts has them as data. */
export const POLICY_NAMES = [
  "default",
  "static",
  "ipa",
  "infaas",
  "modelSwitching",
  "cocktail",
  "fa2Low",
  "fa2High",
  "rim",
  "reactive",
  "oracle",
] as const;

export type PolicyName = (typeof POLICY_NAMES)[number];
