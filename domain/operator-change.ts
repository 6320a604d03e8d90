import { z } from "zod";
import { operatorPinSchema } from "./operator-pin.ts";

const mode = z.enum(["shadow", "active"]);

/** What the scaler answers to a change, or to one that it only checks. Scalers of earlier builds do not say what was before. */
export const pinnedSchema = operatorPinSchema.extend({ replaced: operatorPinSchema.nullable().default(null) });
export const unpinnedSchema = z.object({ removed: z.number(), pins: z.array(operatorPinSchema).default([]) });
export const modeSetSchema = z.object({ mode, before: mode.optional(), fileMode: mode });

export type Pinned = z.output<typeof pinnedSchema>;
export type Unpinned = z.output<typeof unpinnedSchema>;
export type ModeSet = z.output<typeof modeSetSchema>;
