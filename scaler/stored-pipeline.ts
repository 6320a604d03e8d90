import { z } from "zod";
import type { ControlState } from "../control/control-state.ts";
import { formatIssue, issuesOf } from "../domain/file-issue.ts";
import { parseSnapshot, SNAPSHOT_VERSION } from "../predictor/forecaster-snapshot.ts";
import { storedControlSchema } from "./stored-control.ts";

/** What is stored of one pipeline. */
export interface StoredPipeline {
  readonly epoch: number;
  /** Null: it can't be used. */
  readonly control: ControlState | null;
  /** A snapshot of LoadForecaster, which checks it by itself. */
  readonly forecaster: unknown;
  /** A snapshot of OperatorSettings, which checks it by itself. */
  readonly settings: unknown;
}

const storedSchema = z.object({
  epoch: z.int().min(0),
  control: z.unknown(),
  forecaster: z.unknown().optional(),
  settings: z.unknown().optional(),
});

export interface StoredResult {
  /** Null: nothing of it can be used. */
  readonly stored: StoredPipeline | null;
  /** Names the first field that can't be used; null: all can. */
  readonly problem: string | null;
}

/**
 * Checks every field that a tick goes on from: the file may be of another version, or written by another program. What operators set and what
 * the forecaster learnt is kept where only the control state can't be used.
 */
export function parseStoredPipeline(payload: unknown): StoredResult {
  const result = storedSchema.safeParse(payload);
  if (!result.success) return { stored: null, problem: firstIssue(result.error, payload) };
  const { epoch, control, forecaster, settings } = result.data;
  const checked = storedControlSchema.safeParse(control);
  return {
    stored: { epoch, control: checked.success ? checked.data : null, forecaster, settings },
    problem: checked.success ? forecasterProblem(forecaster) : `control state: ${firstIssue(checked.error, control)}`,
  };
}

/** Null: the forecaster goes on from it, or there is none. */
function forecasterProblem(snapshot: unknown): string | null {
  if (snapshot === undefined || snapshot === null || parseSnapshot(snapshot) !== null) return null;
  return `forecaster: it is damaged or not of version ${SNAPSHOT_VERSION}, and is learnt anew from the load's history`;
}

function firstIssue(error: z.ZodError, root: unknown): string {
  const [issue] = issuesOf(error, root, []);
  return issue ? formatIssue(issue) : "it is no state of a pipeline";
}
