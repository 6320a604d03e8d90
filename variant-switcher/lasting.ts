import type { Assignments } from "./assignments.ts";
import type { Batcher } from "./batcher.ts";
import type { Switching } from "./switching.ts";

/** A variant and its largest batch. */
export interface Lasting {
  readonly variant: string;
  readonly batch: number;
}

export interface LastingSources {
  readonly assignments: Pick<Assignments, "applied" | "pin" | "isProtecting">;
  readonly batcher: Pick<Batcher, "serving">;
  readonly switching: Pick<Switching, "incomingVariant">;
}

/**
 * What the switcher serves, or where it just protects itself what it goes back to; null: nothing serves. Who balances by the fallback's
 * speed would send it more than it can do when it goes back.
 */
export function lastingOf({ assignments, batcher, switching }: LastingSources): Lasting | null {
  const { serving } = batcher;
  if (!serving) return null;
  const { applied, isProtecting, pin } = assignments;
  const served = { variant: serving.session.variant, batch: serving.batch };
  if (pin || !applied || served.variant !== applied.fallbackVariant) return served;
  const goesBack = isProtecting || switching.incomingVariant === applied.variant;
  return goesBack ? { variant: applied.variant, batch: applied.batch } : served;
}
