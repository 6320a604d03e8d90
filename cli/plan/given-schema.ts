import { z } from "zod";
import { MAX_RATE_RPS, QUANTILES, RATE_QUANTILES } from "../../domain/load.ts";
import { partsSchema } from "../../domain/plan-schema.ts";
import { POLICY_NAMES } from "../../domain/policy-name.ts";
import type { Given } from "../../optimizer/given.ts";

const word = z.string().max(253);
const share = z.number().min(0).max(1);
const weight = z.number().min(0);
const rate = z.number().min(0).max(MAX_RATE_RPS);
const count = z.int().min(0);
const variants = z.record(word, z.array(word).max(1000));
/** JSON has no infinity: a limit that is not there is null. */
const most = z
  .number()
  .min(0)
  .nullable()
  .transform(max => max ?? Number.POSITIVE_INFINITY);

/** What a plan was made with, as `variscale plan` and the scaler write it. */
export const givenSchema: z.ZodType<Given> = z.object({
  policy: z.enum(POLICY_NAMES),
  minAccuracy: share.nullable(),
  pins: z
    .array(
      z.object({
        stage: word,
        variant: word.nullable(),
        batch: count.nullable(),
        replicas: count.nullable(),
        mayGoLighter: z.literal(true).exactOptional(),
      }),
    )
    .max(1000),
  excluded: variants,
  current: z.record(word, z.object({ parts: partsSchema })).exactOptional(),
  limits: z.object({ cores: z.number().nullable(), machineCores: z.number().nullable() }),
  bounds: z.record(word, z.object({ min: count, max: count })),
  scaling: z
    .record(
      word,
      z.object({ current: count, toleranceUp: z.number().min(0), toleranceDown: z.number().min(0), max: most }),
    )
    .exactOptional(),
  weights: z.object({ accuracy: weight, cost: weight, batch: weight, switch: weight }).exactOptional(),
  rowFactors: z.record(word, z.number().positive().max(1000)).exactOptional(),
  trial: z
    .object({
      variants: z.record(word, word),
      untilMs: z.number().min(0).max(8.64e15),
      plannedAccuracy: share,
      accuracy: share,
      mostAccuracy: share,
    })
    .exactOptional(),
  risenRps: z.number().min(0).exactOptional(),
  likely: z
    .object({ ratesRps: z.array(rate).length(RATE_QUANTILES.length), peaksRps: z.array(rate).length(QUANTILES.length) })
    .exactOptional(),
  attainmentFactor: z.number().min(1).max(100).exactOptional(),
  notInstalled: variants.exactOptional(),
  combine: z
    .record(
      word,
      z.union([z.object({ kind: z.literal("vote"), correlation: share }), z.object({ kind: z.literal("split") })]),
    )
    .exactOptional(),
});
