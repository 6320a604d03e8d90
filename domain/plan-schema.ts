import { z } from "zod";
import { MAX_RATE_RPS } from "./load.ts";
import { BINDINGS, type Plan, REASONS } from "./plan.ts";

const amount = z.number().min(0);
const word = z.string().max(253);
const replicas = z.int().min(0).max(10_000);
const share = z.number().min(0).max(1);
const rate = z.number().min(0).max(MAX_RATE_RPS);
export const reasonsSchema = z.array(z.enum(REASONS)).max(REASONS.length);

export const partsSchema = z
  .array(z.object({ variant: word, batch: z.int().min(1), replicas, share: z.number().min(0) }))
  .min(1)
  .max(100);
const stagePlans = z.array(z.object({ stage: word, parts: partsSchema, cores: amount, latencyMs: amount })).max(32);

/** A Plan as it is written: by `variscale plan`, in the scaler's state and its answers. */
export const planSchema: z.ZodType<Plan> = z.object({
  feasible: z.boolean(),
  rateRps: rate,
  stages: stagePlans,
  accuracy: share,
  effectiveAccuracy: share,
  cores: amount,
  costPerHour: amount.nullable(),
  latencyMs: amount,
  objective: z.number(),
  optimal: z.boolean(),
  gap: amount,
  shedRps: rate,
  reasons: reasonsSchema,
  binding: z.enum(BINDINGS),
  runnerUp: z
    .object({ stages: stagePlans, objective: z.number(), accuracy: share, cores: amount, latencyMs: amount })
    .nullable(),
});
