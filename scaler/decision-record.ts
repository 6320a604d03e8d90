import type { PipelineBoard } from "../control/board.ts";
import type { Forecast, LoadSample } from "../domain/load.ts";
import type { Binding, Plan, Reason } from "../domain/plan.ts";
import type { Given } from "../optimizer/given.ts";

/** One decision, as it is logged, kept in the audit log and shown: what was known, what was chosen, why, and what came second. */
export interface DecisionRecord {
  readonly kind: "decision";
  readonly at: string;
  readonly namespace: string;
  readonly pipeline: string;
  readonly decisionId: string;
  readonly mode: "shadow" | "active";
  readonly load: LoadSample | null;
  readonly forecast: Forecast | null;
  readonly plan: Omit<Plan, "reasons" | "binding" | "runnerUp">;
  readonly reasons: readonly Reason[];
  readonly binding: Binding;
  readonly runnerUp: Plan["runnerUp"];
  readonly corrections: Readonly<Record<string, number>>;
  /** The policy, pins, exclusions, bounds and limits that it was made with; null where the scaler has started since. */
  readonly given: Given | null;
  readonly replicas: Readonly<Record<string, { readonly now: number; readonly goal: number; readonly ready: number }>>;
}

/** The decision that a board is the first to carry; null: it carries on with `before`. */
export function decisionOf(board: PipelineBoard, before: string | null): DecisionRecord | null {
  if (!board.plan || board.decisionId === null || board.decisionId === before) return null;
  const { reasons: _reasons, binding, runnerUp, ...plan } = board.plan;
  return {
    kind: "decision",
    at: new Date(board.atMs).toISOString(),
    namespace: board.key.namespace,
    pipeline: board.key.name,
    decisionId: board.decisionId,
    mode: board.mode,
    load: board.load,
    forecast: board.forecast,
    plan,
    reasons: board.reasons,
    binding,
    runnerUp,
    corrections: board.corrections,
    given: board.given,
    replicas: Object.fromEntries(
      board.stages.map(stage => [
        stage.stage,
        { now: stage.replicasNow, goal: stage.replicasGoal, ready: stage.replicasReady },
      ]),
    ),
  };
}

/** The plan of a decision, whole again. */
export function planOfRecord({ plan, reasons, binding, runnerUp }: DecisionRecord): Plan {
  return { ...plan, reasons, binding, runnerUp };
}
