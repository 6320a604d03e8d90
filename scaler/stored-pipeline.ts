import { z } from "zod";
import type { ControlState } from "../control/control-state.ts";

/** What is stored of one pipeline. */
export interface StoredPipeline {
  readonly epoch: number;
  readonly control: ControlState;
  /** A snapshot of LoadForecaster, which checks it by itself. */
  readonly forecaster: unknown;
  /** A snapshot of OperatorSettings, which checks it by itself. */
  readonly settings: unknown;
}

const storedSchema = z.object({
  epoch: z.int().min(0),
  control: z.looseObject({ schemaVersion: z.literal(1), epoch: z.int().min(0), decisions: z.int().min(0) }),
  forecaster: z.unknown(),
  settings: z.unknown(),
});

/**
 * Null: it is no stored pipeline of a version that is known. The file's checksum says that it is what this program wrote, so only
 * its version is looked at; whether a tick can go on from it shows at the first tick.
 */
export function parseStoredPipeline(payload: unknown): StoredPipeline | null {
  const result = storedSchema.safeParse(payload);
  if (!result.success) return null;
  const { epoch, control, forecaster, settings } = result.data;
  return { epoch, control: control as unknown as ControlState, forecaster, settings };
}
