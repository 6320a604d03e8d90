import { z } from "zod";

/** What a pin of a stage fixes; null: free. */
export const stagePinSchema = z.object({
  stage: z.string().max(253),
  variant: z.string().max(253).nullable(),
  batch: z.number().nullable(),
  replicas: z.number().nullable(),
});

/** A pin that an operator set: until it expires, what it fixes is given, not chosen. As it is stored, told over HTTP, and read from there. */
export const operatorPinSchema = stagePinSchema.extend({
  reason: z.string(),
  /** Who set it, by what the caller said of itself; empty: it did not say. */
  by: z.string().default(""),
  setAtMs: z.number(),
  expiresAtMs: z.number(),
});
export type OperatorPin = Readonly<z.output<typeof operatorPinSchema>>;
