import type { Assignment } from "../domain/assignment.ts";
import type { Forecast, LoadSample } from "../domain/load.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import type { Plan, Reason } from "../domain/plan.ts";
import type { Given } from "../optimizer/given.ts";
import type { EstimatedAccuracy } from "./accuracy-drift.ts";
import type { Trial } from "./control-state.ts";
import type { LearntFanOut } from "./rows/learn-rows.ts";
import type { Served } from "./served.ts";

export const CONDITION_TYPES = [
  "Ready",
  "MetricsAvailable",
  "PlanFeasible",
  "ActuationStuck",
  "ActuationExact",
  "AccuracyDrifted",
  "FanOutDrifted",
  "VariantsFit",
  "ServedAsPlanned",
  "VariantsUsable",
  "SloMissed",
] as const;
/** Conditions whose bad case is that they hold. */
export const BAD_WHEN_TRUE: readonly string[] = [
  "ActuationStuck",
  "AccuracyDrifted",
  "FanOutDrifted",
  "SloMissed",
] satisfies readonly ConditionType[];
export type ConditionType = (typeof CONDITION_TYPES)[number];

export interface Condition {
  readonly type: ConditionType;
  readonly status: boolean;
  /** CamelCase, for machines. */
  readonly reason: string;
  readonly message: string;
  readonly sinceMs: number;
}

export interface StageBoard {
  readonly stage: string;
  /** What there should be now, after make-before-break; never the goal. */
  readonly replicasNow: number;
  /** What KEDA is told: `replicasNow`, or a little more where an HPA with a tolerance moves for nothing less and cuts it off at its maximum. */
  readonly metricValue: number;
  readonly replicasGoal: number;
  readonly replicasReady: number;
  /** False: the stage may be at zero. */
  readonly active: boolean;
  /** Each connected switcher's Assignment, by pod; none in shadow mode. It is a Map since pods name themselves, and one may be called `constructor`. */
  readonly assignments: ReadonlyMap<string, Assignment>;
  /** The variant that each pod stands for in the stage's vote, by pod; missing: the stage does not vote, and one replica serves a row. */
  readonly voters?: Readonly<Record<string, string>>;
  /** What a switcher that connects before the next tick must serve; null in shadow mode and before the first plan. */
  readonly newcomer: Assignment | null;
}

/** Everything that is decided for one pipeline, as of one tick: immutable, replaced as a whole, read by everyone. */
export interface PipelineBoard {
  readonly key: PipelineKey;
  readonly mode: "shadow" | "active";
  readonly atMs: number;
  /** Null before the first plan. */
  readonly decisionId: string | null;
  readonly planAtMs: number | null;
  /** The goal. */
  readonly plan: Plan | null;
  readonly stages: readonly StageBoard[];
  readonly forecast: Forecast | null;
  readonly load: LoadSample | null;
  readonly reasons: readonly Reason[];
  readonly conditions: readonly Condition[];
  /** Measured over profiled service time, by stage. */
  readonly corrections: Readonly<Record<string, number>>;
  /** Plans are for so many times the load, as less is answered in time than they say; from 1 on. */
  readonly attainmentFactor: number;
  /** How many rows requests make, by stage, as far as rows were seen. */
  readonly fanOuts: Readonly<Record<string, LearntFanOut>>;
  /** Accuracy of late by what answers show; null: nothing estimates it, or there are too few answers. */
  readonly estimated: EstimatedAccuracy | null;
  /** The variants that ready switchers serve, beside the plan; null before the first plan, and where no stage has switchers. */
  readonly served: Served | null;
  /** What serves in the place of the plan for a short time, as accuracy has drifted; null: nothing does. */
  readonly trial: Trial | null;
  /** Begun so far. */
  readonly trials: number;
  /** What the plan was made with; null but at the tick that made it. */
  readonly given: Given | null;
}

/** The board as JSON can say it: its maps as objects. */
export function plainBoard(board: PipelineBoard): object {
  return {
    ...board,
    stages: board.stages.map(stage => ({ ...stage, assignments: Object.fromEntries(stage.assignments) })),
  };
}
