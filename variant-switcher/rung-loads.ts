import type { Logger } from "pino";
import type { AssignedRung, NackCode } from "../domain/assignment.ts";
import type { SwitcherVariant } from "./config.ts";
import { isRefused, type OpenSession } from "./driver.ts";
import type { Quarantine } from "./quarantine.ts";
import type { Refused } from "./session-messages.ts";
import type { SessionPool } from "./session-pool.ts";

/** A rung that was given up, or can't be loaded for another reason than its model, is not tried again for so long. */
const AGAIN_MS = 60_000;

/** A rung that can't be loaded for now. */
interface FailedRung {
  readonly code: NackCode;
  readonly atMs: number;
  /** It could be loaded, but had to go: it would have to go again. */
  readonly isGivenUp: boolean;
}

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
  readonly #failed = new Map<string, FailedRung>();
  /** The rungs of which one loads; null: none does. */
  #loading: readonly AssignedRung[] | null = null;
  #loadingVariant = "";
  #abort = new AbortController();

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
    for (const [variant, { isGivenUp }] of this.#failed) if (!isGivenUp) this.#failed.delete(variant);
    const variants = rungs.map(({ variant }) => variant);
    this.#options.pool.wanted = variants;
    if (!variants.includes(this.#loadingVariant)) this.#abort.abort();
    this.#loadNext();
  }

  /** Something has changed in memory: loads the rungs that are not there, also those that there was no room for. */
  load(): void {
    for (const [variant, { code, isGivenUp }] of this.#failed)
      if (code === "memory_short" && !isGivenUp) this.#failed.delete(variant);
    this.#loadNext();
  }

  /** The variant is about to be dropped, and would be in the way if it came back at once. */
  giveUp(variant: string): void {
    this.#failed.set(variant, { code: "memory_short", atMs: performance.now(), isGivenUp: true });
  }

  /** There is room again for all that was given up. */
  takeBack(): void {
    for (const [variant, { isGivenUp }] of this.#failed) if (isGivenUp) this.#failed.delete(variant);
    this.load();
  }

  /** Loads the next rung that is not in memory, or warms it for a larger batch. A Switch that is on its way does so at its end. */
  #loadNext(): void {
    const rungs = this.#rungs;
    if (this.#options.isBusy() || this.#loading === rungs) return;
    const { pool, logger } = this.#options;
    const at = rungs.findIndex(
      ({ variant, maxBatch }) => !pool.isWarm(variant, batchesFor(maxBatch)) && !this.#failed.has(variant),
    );
    const rung = rungs[at];
    if (!rung) return;
    this.#loading = rungs;
    this.#loadingVariant = rung.variant;
    this.#abort = new AbortController();
    const moreImportant = rungs.slice(0, at).map(({ variant }) => variant);
    this.#loadOne(rung, moreImportant, this.#abort.signal)
      .then(
        problem => {
          if (problem === null || problem.code === "superseded") return;
          this.#fail(rung.variant, problem.code);
          logger.warn({ ...problem, variant: rung.variant }, "a rung is not in memory");
        },
        (error: unknown) => {
          this.#fail(rung.variant, "internal");
          logger.error({ err: error, variant: rung.variant }, "a rung is not in memory");
        },
      )
      .finally(() => {
        if (this.#loading === rungs) this.#loading = null;
        this.#loadNext();
      });
  }

  /** Rungs whose model could not be served are tried again once their quarantine is over, others after a while. */
  retry(): void {
    const { quarantine } = this.#options;
    const nowMs = performance.now();
    for (const [variant, { code, atMs }] of this.#failed) {
      const isOver = quarantine.isFor(code) ? !quarantine.get(variant, nowMs) : nowMs - atMs >= AGAIN_MS;
      if (isOver) this.#failed.delete(variant);
    }
    this.#loadNext();
  }

  #fail(variant: string, code: NackCode): void {
    this.#failed.set(variant, { code, atMs: performance.now(), isGivenUp: false });
  }

  async #loadOne(
    { variant: name, maxBatch }: AssignedRung,
    moreImportant: readonly string[],
    signal: AbortSignal,
  ): Promise<Refused | null> {
    const variant = this.#options.variants.find(candidate => candidate.name === name);
    if (!variant)
      return { kind: "refused", code: "unknown_variant", message: `${name} is none of this stage's variants` };
    const quarantined = this.#options.quarantine.get(name, performance.now());
    if (quarantined) return { kind: "refused", code: quarantined.code, message: quarantined.message };
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
