/** Orders assignments: a later leader has a higher epoch; within it every assignment has the next counter. */
export interface Version {
  readonly epoch: number;
  readonly counter: number;
}

/** Before the first assignment. */
export const NO_VERSION: Version = { epoch: 0, counter: 0 };

/** Below 0 when `a` is older than `b`. */
export function compareVersions(a: Version, b: Version): number {
  return a.epoch - b.epoch || a.counter - b.counter;
}

/** The most rungs that a replica keeps in memory. */
export const MAX_RUNGS = 5;

/** As many as a stage has variants. */
export const MOST_BELOW_FLOOR = 100;

/** A variant that a replica keeps in memory. */
export interface AssignedRung {
  readonly variant: string;
  /** Most rows of one batch. */
  readonly maxBatch: number;
}

/** The scaler tells one switcher by it which variants to serve now, and in which time. */
export interface Assignment {
  readonly version: Version;
  /** From 1 to MAX_RUNGS, the most accurate first. Those above the top are kept in memory only, as they may be allowed next. */
  readonly rungs: readonly AssignedRung[];
  /** The most accurate variant that may serve: one of the rungs. */
  readonly top: string;
  /** The lightest variant that may serve: a rung at or below the top. The same as the top: it alone serves. */
  readonly floor: string;
  /** Milliseconds of the SLO that are planned for this stage. */
  readonly budgetMs: number;
  /** Milliseconds that are planned for the stages after this one. */
  readonly laterBudgetMs: number;
  /** Milliseconds that the stages after this one take with the lightest rungs that they have in memory. */
  readonly laterLeastMs: number;
  /** The share of a call's time up to its soft deadline, above 0 and at most 1. */
  readonly headroom: number;
  /** The top alone serves; which rungs the ladder would choose is only counted. */
  readonly shadow: boolean;
  /** Variants below the stage's floor, which serve nobody: not even who asks for one that is in memory. */
  readonly belowFloor: readonly string[];
  readonly decisionId: string;
}

/** The rungs that may serve. */
export function findServingRungs(assignment: Assignment): readonly AssignedRung[] {
  return assignment.shadow ? [findTop(assignment)] : findLadderRungs(assignment);
}

/** The rungs from the top down to the floor, which serve, or would without `shadow`. */
export function findLadderRungs({
  rungs,
  top,
  floor,
}: Pick<Assignment, "rungs" | "top" | "floor">): readonly AssignedRung[] {
  const from = rungs.findIndex(({ variant }) => variant === top);
  const to = rungs.findIndex(({ variant }) => variant === floor);
  return rungs.slice(from, to + 1);
}

/** The rung that the plan is for. */
export function findTop({ rungs, top }: Assignment): AssignedRung {
  return rungs.find(({ variant }) => variant === top) as AssignedRung;
}

/** Says what is wrong with an Assignment that came from outside; null: nothing is. */
export function findAssignmentProblem(assignment: Assignment): string | null {
  const { version, rungs, top, floor, headroom, belowFloor } = assignment;
  if (![version.epoch, version.counter].every(Number.isSafeInteger)) return "its version is no pair of whole numbers";
  const names = rungs.map(({ variant }) => variant);
  if (rungs.length < 1 || rungs.length > MAX_RUNGS)
    return `it has ${rungs.length} rungs, from 1 to ${MAX_RUNGS} are possible`;
  if (new Set(names).size < names.length) return `it names a rung twice: ${names.join(", ")}`;
  if (rungs.some(({ maxBatch }) => !Number.isInteger(maxBatch) || maxBatch < 1 || maxBatch > 4096))
    return "maxBatch of a rung is no whole number from 1 to 4096";
  if (!names.includes(top)) return `its top ${JSON.stringify(top)} is none of its rungs: ${names.join(", ")}`;
  if (names.indexOf(floor) < names.indexOf(top))
    return `its floor ${JSON.stringify(floor)} is no rung at or below its top ${JSON.stringify(top)}`;
  if (belowFloor.length > MOST_BELOW_FLOOR)
    return `it has ${belowFloor.length} variants below the floor, at most ${MOST_BELOW_FLOOR} are possible`;
  const times = {
    budgetMs: assignment.budgetMs,
    laterBudgetMs: assignment.laterBudgetMs,
    laterLeastMs: assignment.laterLeastMs,
  };
  for (const [name, ms] of Object.entries(times))
    if (!(Number.isFinite(ms) && ms >= 0 && ms <= 1e9))
      return `${name} is ${ms}, it must be milliseconds from 0 to 1e9`;
  return Number.isFinite(headroom) && headroom > 0 && headroom <= 1
    ? null
    : `headroom is ${headroom}, it must be above 0 and at most 1`;
}

export const NACK_CODES = [
  "stale_version",
  "unknown_variant",
  "model_missing",
  "sha256_mismatch",
  "model_invalid",
  "contract_mismatch",
  "golden_mismatch",
  "memory_short",
  "pinned",
  "superseded",
  "shutting_down",
  "internal",
] as const;

export type NackCode = (typeof NACK_CODES)[number];

/** Codes that say the model itself can't be served: the variant is quarantined for the stage. */
export const QUARANTINE_CODES: readonly NackCode[] = [
  "model_missing",
  "sha256_mismatch",
  "model_invalid",
  "contract_mismatch",
  "golden_mismatch",
  "memory_short",
];
