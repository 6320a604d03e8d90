import type { PipelineKey } from "../../domain/pipeline.ts";
import type { ScalerClient } from "../scaler/scaler-client.ts";
import { fetchState, type PipelineState } from "./pipeline-state.ts";

/** Requests at a time. */
const AT_A_TIME = 8;

export interface StateQuery {
  /** Empty: all of them. */
  readonly pipelines: readonly PipelineKey[];
  /** Null: all of them. */
  readonly namespace: string | null;
}

/** What the scaler's pipelines are doing now, in the order of its list. */
export async function fetchStates(client: ScalerClient, query: StateQuery): Promise<readonly PipelineState[]> {
  const all = query.pipelines.length > 0 ? query.pipelines : await client.pipelines();
  const keys = all.filter(({ namespace }) => query.namespace === null || namespace === query.namespace);
  const states: PipelineState[] = [];
  let next = 0;
  const fetchNext = async (): Promise<void> => {
    for (let i = next++; i < keys.length; i = next++) states[i] = await fetchState(client, keys[i] as PipelineKey);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, keys.length) }, fetchNext));
  return states;
}
