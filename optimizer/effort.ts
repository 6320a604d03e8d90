/** Ends a search by time. */
export interface TimeLimit {
  readonly ms: number;
  /** Time in ms, from whenever; never goes back. */
  readonly clock: () => number;
}

/** The moment at which all searches for one plan end. */
export interface Deadline {
  readonly endMs: number;
  readonly clock: () => number;
}

/** How much one search has done, and whether that is enough. */
export interface Effort {
  /** About how long something took, in microseconds. */
  spend(effort: number): void;
  /** True: stop, or do not begin what takes about `ahead` more. With a time limit it stays true. */
  isSpent(ahead?: number): boolean;
  spent(): number;
}

/** With a deadline a search has at least so much: it ends with a good choice, a little late if need be. */
const LEAST = 20_000;
/** Between two looks at the clock. */
const LOOK = 500;

export function deadlineOf(limit: TimeLimit | null): Deadline | null {
  return limit && { endMs: limit.clock() + Math.max(0, limit.ms || 0), clock: limit.clock };
}

/** The end of something that may take a part of the time that is left. */
export function partOf(deadline: Deadline | null, part: number): Deadline | null {
  if (!deadline) return null;
  const nowMs = deadline.clock();
  return { ...deadline, endMs: nowMs + part * Math.max(0, deadline.endMs - nowMs) };
}

/** Of the next one of so many plans, which share the time that is left. */
export function limitOfNext(deadline: Deadline | null, plans: number): TimeLimit | null {
  return deadline && { ms: (deadline.endMs - deadline.clock()) / Math.max(1, plans), clock: deadline.clock };
}

export function isOver(deadline: Deadline | null): boolean {
  return deadline !== null && !(deadline.clock() < deadline.endMs);
}

/**
 * Without a deadline the search ends when it has done `budget`, counted and not timed: the same problem gives the same result on every
 * machine. With one it ends then, however much it has done.
 */
export function startEffort(budget: number, deadline: Deadline | null = null): Effort {
  let spent = 0;
  let isOver = false;
  let nextLook = LEAST;
  return {
    spend: effort => {
      spent += effort;
    },
    spent: () => spent,
    isSpent: (ahead = 0) => {
      if (!deadline) return spent + ahead >= budget;
      if (isOver || spent + ahead < nextLook) return isOver;
      nextLook = spent + LOOK;
      isOver = !(deadline.clock() + ahead / 1000 < deadline.endMs);
      return isOver;
    },
  };
}
