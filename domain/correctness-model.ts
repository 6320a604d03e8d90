import { z } from "zod";

const finite = z.number().min(-1e9).max(1e9);

/** Logistic regression on what a request shows without a label: how likely its answer is right. Fitted by `variscale drift`. */
export const correctnessModelSchema = z.strictObject({
  bias: finite,
  signals: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(100),
        mean: finite,
        scale: z.number().positive().max(1e9).describe("Standard deviation in the examples"),
        weight: finite.describe("Of one standard deviation, in log-odds"),
      }),
    )
    .max(100),
});

export type CorrectnessModel = z.output<typeof correctnessModelSchema>;

/** What a request shows of itself, by name: confidences, counts, broken assertions. No labels. */
export type Signals = Readonly<Record<string, number>>;

/** Further from the mean than this nothing was learnt, in standard deviations. */
const FURTHEST = 5;

/** Chance that the answer to a request with these signals is right, 0 to 1. What is missing or no number counts as the mean. */
export function chanceOfRight(model: CorrectnessModel, signals: Signals): number {
  let odds = model.bias;
  for (const { name, mean, scale, weight } of model.signals) odds += weight * standardised(signals[name], mean, scale);
  return 1 / (1 + Math.exp(-odds));
}

/** In standard deviations from the mean, −5 to 5. */
export function standardised(value: number | undefined, mean: number, scale: number): number {
  if (value === undefined || !Number.isFinite(value)) return 0;
  return Math.min(FURTHEST, Math.max(-FURTHEST, (value - mean) / scale));
}
