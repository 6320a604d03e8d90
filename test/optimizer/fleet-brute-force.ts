import type { FeasibleChoice } from "./brute-force.ts";

/** The best sum of objectives within a number of cores, over all choices of all problems; null: nothing fits. */
export function bestTogether(all: readonly (readonly FeasibleChoice[])[], cores: number): number | null {
  const [first, ...others] = all;
  if (!first) return 0;
  let best: number | null = null;
  for (const choice of first) {
    const rest = choice.cores <= cores + 1e-9 ? bestTogether(others, cores - choice.cores) : null;
    if (rest !== null) best = Math.max(best ?? -Infinity, choice.objective + rest);
  }
  return best;
}

/** Only the choices that no other one beats. */
export function frontOf(choices: readonly FeasibleChoice[]): FeasibleChoice[] {
  const front: FeasibleChoice[] = [];
  for (const choice of choices.toSorted((a, b) => a.cores - b.cores || b.objective - a.objective))
    if (choice.objective > (front.at(-1)?.objective ?? -Infinity)) front.push(choice);
  return front;
}
