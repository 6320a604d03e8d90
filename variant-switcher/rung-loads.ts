import type { Logger } from "pino";
import type { AssignedRung, NackCode } from "../domain/assignment.ts";
import type { SwitcherVariant } from "./config.ts";
import { isRefused, type OpenSession } from "./driver.ts";
import type { Quarantine } from "./quarantine.ts";
import type { Refused } from "./session-messages.ts";
import type { SessionPool } from "./session-pool.ts";

export interface RungLoadsOptions {
  readonly variants: readonly SwitcherVariant[];
  readonly pool: SessionPool;
  readonly quarantine: Quarantine;
  readonly logger: Logger;
  /** A Switch is on its way, which loads rungs at its end, or the switcher ends. */
  readonly isBusy: () => boolean;
  /** Loads a variant, and quarantines it where it is at fault. */
  readonly judge: (
    variant: SwitcherVariant,
    acquire: () => Promise<OpenSession | Refused>,
  ) => Promise<OpenSession | Refused>;
}

/** Keeps the rungs of the ladder in memory: loads them in the background, one after the other, between Switches. */
export class RungLoads {
  readonly #options: RungLoadsOptions;
  /** To be kept in memory, the most important first. */
  #rungs: readonly AssignedRung[] = [];
  /** Those of them that can't be loaded for now. */
  readonly #failed = new Map<string, NackCode>();
  /** The rungs of which one loads; null: none does. */
  #loading: readonly AssignedRung[] | null = null;

  constructor(options: RungLoadsOptions) {
    this.#options = options;
  }

  /**
   * Keeps these in memory from now on, as far as there is room, the most important first. Their loads give way to Switches and are begun again
   * after them.
   */
  keep(rungs: readonly AssignedRung[]): void {
    if (JSON.stringify(rungs) === JSON.stringify(this.#rungs)) return;
    this.#rungs = rungs;
    this.#failed.clear();
    this.#options.pool.wanted = rungs.map(({ variant }) => variant);
    this.load();
  }

  /** Loads the next rung that is not in memory. A Switch that is on its way does so at its end. */
  load(): void {
    const rungs = this.#rungs;
    if (this.#options.isBusy() || this.#loading === rungs) return;
    const { pool, logger } = this.#options;
    const at = rungs.findIndex(({ variant }) => pool.findSession(variant) === null && !this.#failed.has(variant));
    const rung = rungs[at];
    if (!rung) return;
    this.#loading = rungs;
    const moreImportant = rungs.slice(0, at).map(({ variant }) => variant);
    this.#loadOne(rung, moreImportant)
      .then(
        problem => {
          if (problem === null || problem.code === "superseded") return;
          this.#failed.set(rung.variant, problem.code);
          logger.warn({ ...problem, variant: rung.variant }, "a rung is not in memory");
        },
        (error: unknown) => {
          this.#failed.set(rung.variant, "internal");
          logger.error({ err: error, variant: rung.variant }, "a rung is not in memory");
        },
      )
      .finally(() => {
        if (this.#loading === rungs) this.#loading = null;
        this.load();
      });
  }

  /** Rungs whose model could not be served are tried again once their quarantine is over. */
  retry(): void {
    const nowMs = performance.now();
    for (const [variant, code] of this.#failed)
      if (this.#options.quarantine.isFor(code) && !this.#options.quarantine.get(variant, nowMs))
        this.#failed.delete(variant);
    this.load();
  }

  async #loadOne({ variant: name, maxBatch }: AssignedRung, moreImportant: readonly string[]): Promise<Refused | null> {
    const variant = this.#options.variants.find(candidate => candidate.name === name);
    if (!variant)
      return { kind: "refused", code: "unknown_variant", message: `${name} is none of this stage's variants` };
    const quarantined = this.#options.quarantine.get(name, performance.now());
    if (quarantined) return { kind: "refused", code: quarantined.code, message: quarantined.message };
    const { signal } = new AbortController();
    const session = await this.#options.judge(variant, () =>
      this.#options.pool.acquireInBackground(variant, batchesFor(maxBatch), signal, moreImportant),
    );
    return isRefused(session) ? session : null;
  }
}

/** Numbers of rows that a session has to be warm for. */
export function batchesFor(batch: number): readonly number[] {
  return batch === 1 ? [1] : [1, batch];
}
