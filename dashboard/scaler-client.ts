import type { ExplainedDecision, LiveView } from "./live-view.ts";

/** Longer than the scaler takes to explain. */
const TIMEOUT_MS = 25_000;

export interface PipelineName {
  readonly namespace: string;
  readonly name: string;
}

/** Addresses are relative to the page, which a proxy may have put below a path of its own. */
export async function fetchPipelines(): Promise<readonly PipelineName[]> {
  const { pipelines } = await ask<{ readonly pipelines: readonly PipelineName[] }>("api/v1/pipelines");
  return pipelines;
}

/** @param afterMs of the newest point that is known; null: all are wanted. */
export async function fetchLive(pipeline: PipelineName, afterMs: number | null): Promise<LiveView> {
  const view = await ask<LiveView>(`${pathOf(pipeline)}/live${afterMs === null ? "" : `?after=${afterMs}`}`);
  // Not told by a leader of an older version, while scalers are rolled out.
  return { ...view, changes: view.changes ?? [] };
}

export function fetchDecision(pipeline: PipelineName, decisionId: string): Promise<ExplainedDecision> {
  return ask(`${pathOf(pipeline)}/decisions/${encodeURIComponent(decisionId)}`);
}

export function pathOf({ namespace, name }: PipelineName): string {
  return `api/v1/pipelines/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}

/** What the scaler did not do, in its words. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Throws Refusal with what the scaler says is wrong, and Error where it does not answer. */
export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
  const body = (await answer.json().catch(() => null)) as (T & { readonly error?: string }) | null;
  // A proxy's answers need not be JSON.
  if (!answer.ok || body === null) throw new Refusal(answer.status, body?.error ?? `status ${answer.status}`);
  return body;
}
