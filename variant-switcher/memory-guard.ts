import type { Logger } from "pino";
import { LeakWatch } from "./leak-watch.ts";
import type { SessionPool } from "./session-pool.ts";
import type { Switching } from "./switching/switching.ts";

const CHECK_MS = 1000;
/** Share of the pod's memory from which on something is done about it. */
const HIGH = 0.92;
/** Between two reloads of what serves. */
const RELOAD_MS = 60_000;
const MIB = 1024 * 1024;

export interface MemoryGuardOptions {
  readonly memoryMiB: number;
  readonly pool: SessionPool;
  readonly switching: Switching;
  /** Whether this variant's sessions live in this process. */
  readonly isInProcess: (variant: string) => boolean;
  readonly logger: Logger;
  /** Default 1 s. */
  readonly checkMs?: number;
}

/**
 * Keeps the process below the pod's memory, beyond which the kernel would end it. Where it comes close, or a session that leaks is about
 * to take the room for its replacement, sessions that do not serve are given up, the least recently used first. If that is not enough, the
 * session that serves is replaced by a new one of the same variant, which is a Switch and interrupts nothing, where there is room for both.
 */
export class MemoryGuard {
  readonly #options: MemoryGuardOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #leak = new LeakWatch();
  #rssMiB = process.memoryUsage.rss() / MIB;
  #reloadedMs = Number.NEGATIVE_INFINITY;
  #isBusy = false;

  constructor(options: MemoryGuardOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#check().catch((error: unknown) => options.logger.error({ err: error }, "could not free memory"));
    }, options.checkMs ?? CHECK_MS);
  }

  /** What is left of the pod's memory, as of the last look. */
  get leftMiB(): number {
    return Math.max(0, this.#options.memoryMiB - this.#rssMiB);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #check(): Promise<void> {
    const { memoryMiB, pool, switching, logger } = this.#options;
    this.#rssMiB = process.memoryUsage.rss() / MIB;
    const isReplacementDue = this.#isReplacementDue();
    if (this.#isBusy || (this.#rssMiB < HIGH * memoryMiB && !isReplacementDue)) return;
    this.#isBusy = true;
    try {
      const given = pool.leastRecentlyUsed();
      if (given === null) await this.#reload();
      else {
        logger.warn(
          { variant: given, rssMiB: this.#rssMiB, memoryMiB },
          "memory is short: a resident session is given up",
        );
        switching.tell({ kind: "giveUp", variant: given });
        await pool.drop(given);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  #isReplacementDue(): boolean {
    const { memoryMiB, pool, switching, isInProcess } = this.#options;
    const variant = switching.servedVariant;
    const session = variant === null ? undefined : pool.resident(variant);
    if (variant === null || !session || !isInProcess(variant)) return false;
    const usableMiB = HIGH * memoryMiB;
    const { heldMiB, spareMiB } = pool;
    const neededMiB = session.memoryMiB;
    const isDue = this.#leak.isDue(session, {
      memoryMiB,
      usableMiB,
      rssMiB: this.#rssMiB,
      heldMiB,
      spareMiB,
      neededMiB,
    });
    return isDue && this.#mayReload();
  }

  #mayReload(): boolean {
    return this.#options.switching.state.current === null && performance.now() - this.#reloadedMs >= RELOAD_MS;
  }

  async #reload(): Promise<void> {
    const { memoryMiB, pool, switching, logger } = this.#options;
    const variant = switching.servedVariant;
    if (variant === null || !this.#mayReload()) return;
    this.#reloadedMs = performance.now();
    const neededMiB = pool.resident(variant)?.memoryMiB ?? 0;
    const numbers = { variant, rssMiB: this.#rssMiB, neededMiB, memoryMiB };
    if (neededMiB > this.leftMiB) {
      logger.error(
        numbers,
        "memory is short, and there is no room to replace the session that serves. Give the stage more memoryMiB.",
      );
      return;
    }
    logger.warn(numbers, "memory is short: the session that serves is replaced");
    await switching.ask({ kind: "reload" });
  }
}
