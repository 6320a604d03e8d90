import type { Assignment } from "../assignment.ts";

/** A call without a deadline of its caller's is not served after so long. */
const LONGEST_MS = 30_000;

/** The times that a call comes with; null: its caller does not say. */
export interface CallTimes {
  readonly arrivedMs: number;
  /** Milliseconds until the caller's deadline. */
  readonly leftMs: number | null;
  /** Milliseconds that are left of the pipeline's SLO. */
  readonly sloLeftMs: number | null;
}

/** The parts of an Assignment that deadlines are made of. */
export type Budgets = Pick<Assignment, "budgetMs" | "laterBudgetMs" | "laterLeastMs" | "headroom">;

/** A replica that was never assigned anything aims at the caller's deadline. */
export const NO_BUDGETS: Budgets = { budgetMs: 0, laterBudgetMs: 0, laterLeastMs: 0, headroom: 1 };

export interface Deadlines {
  /** Choices aim at this time. */
  readonly softMs: number;
  /** Refusals look at this time; never before `softMs`. */
  readonly hardMs: number;
  /** After this time nobody waits for the answer. */
  readonly deadlineMs: number;
}

/**
 * When a call should be done and when it must be, with what the stages after this one need set aside. Who has a deadline but no SLO aims at
 * the deadline; who has neither aims at the stage's budget.
 */
export function findDeadlines({ arrivedMs, leftMs, sloLeftMs }: CallTimes, budgets: Budgets): Deadlines {
  const { budgetMs, laterBudgetMs, laterLeastMs, headroom } = budgets;
  const left = leftMs ?? LONGEST_MS;
  const hardMs = arrivedMs + left - laterLeastMs;
  const aimMs =
    leftMs === null && sloLeftMs === null
      ? budgetMs || LONGEST_MS
      : headroom * Math.max(0, Math.min(left, sloLeftMs ?? left) - laterBudgetMs);
  return { softMs: Math.min(hardMs, arrivedMs + aimMs), hardMs, deadlineMs: arrivedMs + left };
}
