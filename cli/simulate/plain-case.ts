import type { CaseFlags } from "./cases.ts";

/** What `variscale simulate` takes where nothing is said. */
export const PLAIN_CASE = {
  policies: null,
  end: 0,
  warmUp: 60,
  scale: 1,
  seeds: 1,
  seed: 1,
  train: false,
  podStart: 5,
  sync: 15,
  tolerance: 0,
  window: 10,
  fault: [],
} as const satisfies Omit<CaseFlags, "length">;
