import { z } from "zod";
import { MOST_TEXT } from "./quoted.ts";

const name = z.string().min(1).max(253);
const weight = z.number().min(0).max(1e6);
const batch = z.int().min(1).max(1024);
const replicas = z.int().min(0).max(10_000);

const weightsSchema = z.strictObject({
  kind: z.literal("weights"),
  weights: z
    .strictObject({
      accuracy: weight.optional().describe("per unit of effective accuracy"),
      cost: weight.optional().describe("per core"),
      switch: weight.optional().describe("per stage whose variant changes"),
    })
    .refine(weights => Object.keys(weights).length > 0, "must have at least one weight"),
});

const quantileSchema = z.strictObject({
  kind: z.literal("forecastQuantile"),
  quantile: z.number().min(0).max(1).describe("of the forecast that is planned for"),
});

const pinsSchema = z.strictObject({
  kind: z.literal("pins"),
  pins: z
    .array(
      z
        .strictObject({
          stage: name,
          variant: name.optional(),
          batch: batch.optional(),
          replicas: replicas.optional(),
        })
        .refine(
          pin => pin.variant !== undefined || pin.batch !== undefined || pin.replicas !== undefined,
          "must fix at least one of variant, batch and replicas",
        ),
    )
    .max(64)
    .describe("in the place of the agent's pins so far; none: they are removed"),
});

export const configurationSchema = z
  .array(z.strictObject({ stage: name, variant: name, batch, replicas }))
  .min(1)
  .max(64);

const configurationChangeSchema = z.strictObject({
  kind: z.literal("configuration"),
  stages: configurationSchema.describe("what the stages serve in the next interval; all of them, one entry each"),
});

/** What an agent may propose. */
export const changeSchema = z.discriminatedUnion("kind", [
  weightsSchema,
  quantileSchema,
  pinsSchema,
  configurationChangeSchema,
]);

export type Change = z.output<typeof changeSchema>;

export const whySchema = z.string().max(4 * MOST_TEXT);
