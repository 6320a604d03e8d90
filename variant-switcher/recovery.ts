import type { Logger } from "pino";
import type { SessionPool } from "./session-pool.ts";
import type { Switching, Target } from "./switching.ts";

const FIRST_MS = 250;
const LONGEST_MS = 30_000;
/** How often it looks whether what is served is what should be. */
const CHECK_MS = 1000;

export interface RecoveryOptions {
  readonly switching: Switching;
  readonly pool: SessionPool;
  readonly logger: Logger;
  /** What should be served; null: not known yet. */
  readonly desired: () => Target | null;
  /** Variants that may stand in, best first. */
  readonly substitutes: () => readonly string[];
}

/**
 * Sees to it that something serves: after a session was lost, or where the desired variant could not be loaded, it switches
 * to the desired variant or, while that one is quarantined, to one that works, and later back. Tries with a back-off that
 * doubles from 0.25 s to 30 s, for as long as it takes. While another Switch loads, something stands in until that one is done.
 */
export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #timer: NodeJS.Timeout;
  #failures = 0;
  #notBeforeMs = 0;
  #running = false;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.check();
      options.switching.rungs.retry();
    }, CHECK_MS);
  }

  /** Looks at once instead of at the next occasion. */
  check(): void {
    this.#check().catch((error: unknown) => this.#options.logger.error({ err: error }, "could not recover"));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #check(): Promise<void> {
    // A Switch that waits for the session that was lost takes over now.
    await Promise.resolve();
    const { switching } = this.#options;
    const isBeside = switching.isSwitching;
    const target = isBeside ? this.#chooseStandIn() : this.#choose();
    if (this.#running || target === null || performance.now() < this.#notBeforeMs) return;
    this.#running = true;
    const outcome = isBeside
      ? await switching.standIn(target)
      : await switching.switchTo(target, "recovery", "respect-quarantine");
    this.#running = false;
    const isSuperseded = outcome.kind === "refused" && outcome.code === "superseded";
    const failed = outcome.kind === "refused" && !isSuperseded;
    this.#failures = failed ? this.#failures + 1 : 0;
    this.#notBeforeMs = failed ? performance.now() + Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#failures - 1)) : 0;
    if (isSuperseded) this.check();
  }

  /** Where a Switch loads and nothing serves meanwhile: what is in memory, else what served last. Null: there is nothing to do. */
  #chooseStandIn(): Target | null {
    const { switching, pool, desired, substitutes } = this.#options;
    const { servedVariant, lastServedVariant, incomingVariant } = switching;
    if (servedVariant !== null || lastServedVariant === null) return null;
    const nowMs = performance.now();
    const residents = substitutes().filter(name => pool.residentVariants.includes(name));
    const variant = [...residents, ...pool.residentVariants, lastServedVariant].find(
      name => name !== incomingVariant && !switching.quarantine.get(name, nowMs),
    );
    return variant === undefined ? null : { variant, batch: desired()?.batch ?? 1, lighter: [] };
  }

  /** Null: there is nothing to do, or nothing that can be done. */
  #choose(): Target | null {
    const { switching, pool, desired, substitutes } = this.#options;
    const target = desired();
    const served = switching.servedVariant;
    if (target === null || served === target.variant) return null;
    const nowMs = performance.now();
    if (!switching.quarantine.get(target.variant, nowMs)) return target;
    if (served !== null) return null;
    const variant = [...substitutes(), ...pool.residentVariants].find(name => !switching.quarantine.get(name, nowMs));
    return variant === undefined ? null : { variant, batch: target.batch, lighter: [] };
  }
}
