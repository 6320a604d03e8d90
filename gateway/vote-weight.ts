import { findVariant, type Stage } from "../domain/pipeline.ts";

/** Of a variant that is not known to be better than a coin: others decide, and it decides where there is none. */
const LEAST = 1e-6;

/** What a variant's vote weighs: ln(a / (1 − a)), a its measured accuracy, and at least a trifle. */
export function voteWeight(stage: Stage, variant: string): number {
  const accuracy = findVariant(stage, variant)?.accuracy ?? 0;
  const a = Math.min(1 - LEAST, Math.max(LEAST, accuracy));
  return Math.max(LEAST, Math.log(a / (1 - a)));
}
