import type { Refused } from "./session-messages.ts";

/** A session in memory. */
export interface Resident {
  readonly variant: string;
  readonly memoryMiB: number;
  readonly lastUsedMs: number;
}

export interface ResidencyProblem {
  readonly residents: readonly Resident[];
  /** What the incoming session is taken to need. */
  readonly incomingMiB: number;
  /** Of all sessions together. */
  readonly budgetMiB: number;
  /** Serves or is about to: stays whatever happens. */
  readonly kept: readonly string[];
  /** Is given up last. */
  readonly fallback: string | null;
}

export type Residency =
  | { readonly kind: "fits"; readonly evict: readonly string[] }
  | { readonly kind: "short"; readonly availableMiB: number };

/**
 * Which sessions have to go, least recently used first, so that one more fits into the budget beside the serving one. The
 * fallback goes only where nothing else helps: a pod that is sized for two sessions could not switch otherwise.
 */
export function planResidency(problem: ResidencyProblem): Residency {
  const { residents, incomingMiB, budgetMiB, kept, fallback } = problem;
  let usedMiB = residents.reduce((sum, resident) => sum + resident.memoryMiB, 0);
  const candidates = residents
    .filter(({ variant }) => !kept.includes(variant))
    .toSorted((a, b) => Number(a.variant === fallback) - Number(b.variant === fallback) || a.lastUsedMs - b.lastUsedMs);
  const evict: string[] = [];
  for (const { variant, memoryMiB } of candidates) {
    if (usedMiB + incomingMiB <= budgetMiB) break;
    usedMiB -= memoryMiB;
    evict.push(variant);
  }
  if (usedMiB + incomingMiB <= budgetMiB) return { kind: "fits", evict };
  return { kind: "short", availableMiB: Math.max(0, budgetMiB - usedMiB) };
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
  return { kind: "refused", code: "memory_short", message };
}
