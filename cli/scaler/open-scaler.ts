import type { PipelineKey } from "../../domain/pipeline.ts";
import { type ScalerAccess, ScalerClient } from "./scaler-client.ts";

/** A scaler's client, and the pipeline of this name (undefined: its only one). */
export async function openScaler(
  name: string | undefined,
  access: ScalerAccess,
): Promise<{ readonly client: ScalerClient; readonly key: PipelineKey }> {
  const client = new ScalerClient(access);
  return { client, key: await client.pipeline(name ?? null) };
}
