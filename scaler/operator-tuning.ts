import { z } from "zod";
import type { Tuning } from "../control/tuning.ts";
import { QUANTILES } from "../domain/load.ts";
import { servingChangeSchema } from "../domain/serving/serving-schema.ts";
import { changeNote, parseRequest } from "./change-request.ts";

const HOUR_MS = 3_600_000;

const weight = z.number().min(0).max(1e6);
const weightsSchema = z.strictObject({ accuracy: weight, cost: weight, batch: weight, switch: weight });
const pinSchema = z.strictObject({
  stage: z.string().max(63),
  variant: z.string().max(63).nullable().default(null),
  batch: z.int().min(1).max(1024).nullable().default(null),
  replicas: z.int().min(0).max(10_000).nullable().default(null),
});
const fields = {
  weights: weightsSchema.nullable().default(null),
  forecastQuantile: z.literal(QUANTILES).nullable().default(null),
  pins: z.array(pinSchema).max(64).default([]),
  serving: servingChangeSchema.nullable().default(null),
};

const requestSchema = z.strictObject({
  ...fields,
  ttlMs: z
    .int()
    .min(1000)
    .max(24 * HOUR_MS),
  ...changeNote,
});

export const storedTuningSchema = z.object({
  ...fields,
  reason: z.string(),
  by: z.string(),
  setAtMs: z.number(),
  expiresAtMs: z.number(),
});

/** A tuning of the control loop that is in force until it expires. Its pins give way to operators' pins and to constraints. */
export interface OperatorTuning extends Tuning {
  readonly reason: string;
  /** Who set it, by what the caller said of itself. */
  readonly by: string;
  readonly setAtMs: number;
  readonly expiresAtMs: number;
}

/** @throws VariscaleError invalid_argument where the body of a request is none. */
export function tuningOf(body: unknown, nowMs: number): OperatorTuning {
  const { ttlMs, ...tuning } = parseRequest(requestSchema, body);
  return { ...tuning, setAtMs: nowMs, expiresAtMs: nowMs + ttlMs };
}

const removeSchema = z.strictObject({ ...changeNote });

/** Who asks for the end of a tuning, and why. */
export function untuneOf(query: unknown): z.output<typeof removeSchema> {
  return parseRequest(removeSchema, query);
}
