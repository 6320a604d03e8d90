import type { OpenSession } from "./driver.ts";
import { type Refused, refuse } from "./session-messages.ts";

/** A session in memory. */
export interface Resident {
  readonly variant: string;
  readonly memoryMiB: number;
  readonly lastUsedMs: number;
}

/** One of a pool, which runs batches. */
export interface ResidentSession extends Resident {
  readonly session: OpenSession;
  readonly loadMs: number;
  /** When it was loaded, on the clock of performance.now(). */
  readonly loadedAtMs: number;
  /** Numbers of rows that it has run. */
  readonly warmed: Set<number>;
  lastUsedMs: number;
}

export interface ResidencyProblem {
  readonly residents: readonly Resident[];
  /** What the incoming session is taken to need. */
  readonly incomingMiB: number;
  /** Of all sessions together. */
  readonly budgetMiB: number;
  /** These serve or are about to: they stay whatever happens. */
  readonly kept: readonly string[];
  /** These are given up last, the first of them after all others. */
  readonly wanted: readonly string[];
}

export type Residency =
  | { readonly kind: "fits"; readonly evict: readonly string[] }
  | { readonly kind: "short"; readonly availableMiB: number };

/**
 * Chooses the sessions that have to go, so that one more fits into the budget beside those that are kept. Wanted rungs go only where nothing
 * else helps: in a pod that is sized for two sessions one of them has to.
 */
export function planResidency(problem: ResidencyProblem): Residency {
  const { residents, incomingMiB, budgetMiB, kept, wanted } = problem;
  let usedMiB = sumMiB(residents);
  const candidates = sortByWorth(
    residents.filter(({ variant }) => !kept.includes(variant)),
    wanted,
  );
  const evict: string[] = [];
  for (const { variant, memoryMiB } of candidates) {
    if (usedMiB + incomingMiB <= budgetMiB) break;
    usedMiB -= memoryMiB;
    evict.push(variant);
  }
  if (usedMiB + incomingMiB <= budgetMiB) return { kind: "fits", evict };
  return { kind: "short", availableMiB: Math.max(0, budgetMiB - usedMiB) };
}

export function sumMiB(residents: readonly Resident[]): number {
  return residents.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
}

/** Sorts sessions by what they are worth, the least first: those that are not wanted by when they were used, then the wanted ones. */
export function sortByWorth(residents: readonly Resident[], wanted: readonly string[]): readonly Resident[] {
  const worth = ({ variant }: Resident): number =>
    wanted.includes(variant) ? wanted.length - wanted.indexOf(variant) : 0;
  return residents.toSorted((a, b) => worth(a) - worth(b) || a.lastUsedMs - b.lastUsedMs);
}

/** `kept`: what has to stay beside it. */
export function memoryShort(
  variant: string,
  neededMiB: number,
  kept: readonly string[],
  memoryMiB: number,
  availableMiB: number,
): Refused {
  const rule = `${variant} needs about ${Math.ceil(neededMiB)} MiB beside ${kept.join(" and ") || "nothing"}`;
  const message = `${rule}; of ${Math.floor(memoryMiB)} MiB only ${Math.floor(availableMiB)} are left. Give the stage more memoryMiB.`;
  return refuse("memory_short", message);
}
