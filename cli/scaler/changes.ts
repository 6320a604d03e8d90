import {
  type ModeSet,
  modeSetSchema,
  type Pinned,
  pinnedSchema,
  type Unpinned,
  unpinnedSchema,
} from "../../domain/operator-change.ts";
import type { PipelineKey } from "../../domain/pipeline.ts";
import type { ScalerClient } from "./scaler-client.ts";

/** Who asks for a change and why, for the audit log; `dryRun`: it is only checked. */
export interface ChangeOrigin {
  readonly by: string;
  readonly reason: string;
  readonly dryRun: boolean;
}

export interface PinRequest {
  readonly stage: string;
  readonly variant: string | null;
  readonly batch: number | null;
  readonly replicas: number | null;
  readonly ttlMs: number;
}

export function pin(
  client: ScalerClient,
  key: PipelineKey,
  request: PinRequest,
  { dryRun, ...note }: ChangeOrigin,
): Promise<Pinned> {
  return client.change("PUT", key, "/pin", dryQuery(dryRun), { ...request, ...note }, pinnedSchema);
}

/** @param stage null: all pins. */
export function unpin(
  client: ScalerClient,
  key: PipelineKey,
  stage: string | null,
  { dryRun, ...note }: ChangeOrigin,
): Promise<Unpinned> {
  return client.change("DELETE", key, "/pin", { stage, ...note, ...dryQuery(dryRun) }, null, unpinnedSchema);
}

export function setMode(
  client: ScalerClient,
  key: PipelineKey,
  wanted: "shadow" | "active",
  { dryRun, ...note }: ChangeOrigin,
): Promise<ModeSet> {
  return client.change("PUT", key, "/mode", dryQuery(dryRun), { mode: wanted, ...note }, modeSetSchema);
}

function dryQuery(dryRun: boolean): { readonly dryRun: string | null } {
  return { dryRun: dryRun ? "true" : null };
}
