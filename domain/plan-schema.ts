import { z } from "zod";
import { MAX_RUNGS } from "./assignment.ts";
import { MAX_RATE_RPS } from "./load.ts";
import { BINDINGS, type Binding, type Plan, REASONS, type Reason } from "./plan.ts";

const amount = z.number().min(0);
const word = z.string().max(253);
const replicas = z.int().min(0).max(10_000);
const share = z.number().min(0).max(1);
const rate = z.number().min(0).max(MAX_RATE_RPS);

export const partsSchema = z
  .array(z.object({ variant: word, batch: z.int().min(1), replicas, share: z.number().min(0) }))
  .min(1)
  .max(100);
const stagePlans = z.array(z.object({ stage: word, parts: partsSchema, cores: amount, latencyMs: amount })).max(32);

/** A PlannedMix. */
export const mixSchema = z.object({
  accuracy: share,
  isAccuracyKnown: z.boolean(),
  isAsPlanned: z.boolean(),
  served: share,
  stages: z
    .array(z.object({ stage: word, shares: z.array(z.object({ variant: word, share })).max(MAX_RUNGS) }))
    .max(32),
});

const plan = z.object({
  feasible: z.boolean(),
  rateRps: rate,
  stages: stagePlans,
  accuracy: share,
  // Earlier versions do not say.
  isAccuracyKnown: z.boolean().default(true),
  effectiveAccuracy: share,
  cores: amount,
  costPerHour: amount.nullable(),
  latencyMs: amount,
  objective: z.number(),
  optimal: z.boolean(),
  gap: amount,
  shedRps: rate,
  reasons: z.array(z.enum(REASONS)).max(REASONS.length),
  binding: z.enum(BINDINGS),
  runnerUp: z
    .object({ stages: stagePlans, objective: z.number(), accuracy: share, cores: amount, latencyMs: amount })
    .nullable(),
  mix: mixSchema.exactOptional(),
});

/** A Plan as this version writes it: by `variscale plan`, in the scaler's state and its answers. */
export const planSchema: z.ZodType<Plan> = plan;

/** Reasons of another version, each once: those that this one does not know are left out. */
export const readReasonsSchema: z.ZodType<readonly Reason[]> = z
  .array(word)
  .max(100)
  .transform(reasons => [...new Set(reasons.flatMap(reason => REASONS.find(known => known === reason) ?? []))]);

/** A Plan as another version may have written it: its numbers hold, whatever the reasons and the constraint that only that version knows. */
export const readPlanSchema: z.ZodType<Plan> = plan.extend({
  reasons: readReasonsSchema,
  binding: word.transform((binding): Binding => BINDINGS.find(known => known === binding) ?? "none"),
});
