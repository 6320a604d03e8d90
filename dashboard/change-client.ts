import type { ModeSet, Pinned, Unpinned } from "../domain/operator-change.ts";
import { ask, type PipelineName, pathOf } from "./scaler-client.ts";

/** Who asks for a change of which pipeline, and how: `dryRun`: it is only checked. */
export interface ChangeRequest {
  readonly pipeline: PipelineName;
  /** Null: none is shown, which a scaler without a token takes from its own machine. */
  readonly token: string | null;
  readonly by: string;
  readonly reason: string;
  readonly dryRun: boolean;
}

export interface PinWish {
  readonly stage: string;
  readonly variant: string | null;
  readonly batch: number | null;
  readonly replicas: number | null;
  readonly ttlMs: number;
}

export function sendPin(request: ChangeRequest, wish: PinWish): Promise<Pinned> {
  return put(request, "pin", { ...wish, ...noteOf(request) });
}

export function sendUnpin(request: ChangeRequest, stage: string): Promise<Unpinned> {
  const query = new URLSearchParams({ stage, ...noteOf(request), dryRun: String(request.dryRun) });
  return ask(`${pathOf(request.pipeline)}/pin?${query}`, { method: "DELETE", headers: headersOf(request) });
}

export function sendMode(request: ChangeRequest, mode: "shadow" | "active"): Promise<ModeSet> {
  return put(request, "mode", { mode, ...noteOf(request) });
}

function put<T>(request: ChangeRequest, what: "pin" | "mode", body: object): Promise<T> {
  return ask(`${pathOf(request.pipeline)}/${what}?dryRun=${request.dryRun}`, {
    method: "PUT",
    headers: { "content-type": "application/json", ...headersOf(request) },
    body: JSON.stringify(body),
  });
}

function noteOf({ by, reason }: ChangeRequest): { readonly by: string; readonly reason: string } {
  return { by, reason };
}

function headersOf({ token }: ChangeRequest): Readonly<Record<string, string>> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}
