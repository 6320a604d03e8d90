import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import { type ForecastModel, modelToJson, parseModel } from "../../predictor/network/network-model.ts";
import { readState, writeState } from "../../runtime/state-file.ts";

const horizonSchema = z.object({
  horizonSeconds: z.number(),
  rows: z.number(),
  heldOutRows: z.number(),
  loss: z.number(),
  rivalLosses: z.array(z.number().nullable()),
});

const storedSchema = z.object({
  model: z.unknown(),
  training: z.object({
    atMs: z.number(),
    knownSeconds: z.number(),
    choice: z.enum(["new", "current", "bundled"]),
    horizons: z.array(horizonSchema),
  }),
});

/** What came of the last training of a pipeline's model. */
export type TrainingRecord = z.output<typeof storedSchema>["training"];

export interface StoredModel {
  /** The pipeline's own; null: the bundled one is in use. */
  readonly model: ForecastModel | null;
  readonly training: TrainingRecord;
}

export interface StoredModelResult {
  /** Null: there is none that can be used. */
  readonly stored: StoredModel | null;
  /** Why not; null: there is one, or none was ever stored. */
  readonly problem: string | null;
}

/** Reads what `writeModel` wrote; never throws. A damaged file is kept aside. */
export function readModel(path: string): StoredModelResult {
  const unusable = (reason: string): StoredModelResult => ({
    stored: null,
    problem: `${path} can't be used: ${reason}; the bundled model forecasts until the next training`,
  });
  try {
    const read = readState(path);
    if (read.kind === "absent") return { stored: null, problem: null };
    if (read.kind === "corrupt") return unusable(read.reason);
    const checked = storedSchema.safeParse(read.payload);
    if (!checked.success) return unusable("it is no model that this version stored");
    const { model: json, training } = checked.data;
    if (json === null) return { stored: { model: null, training }, problem: null };
    const { model, problem } = parseModel(json);
    return model ? { stored: { model, training }, problem: null } : unusable(problem);
  } catch (error) {
    return unusable(VariscaleError.from(error).message);
  }
}

/** Rejects with VariscaleError where it can't be written. */
export async function writeModel(path: string, stored: StoredModel, nowMs: number): Promise<void> {
  const model = stored.model === null ? null : modelToJson(stored.model);
  const payload = { model, training: stored.training };
  await writeState(path, payload, nowMs);
}
