import { type NackCode, QUARANTINE_CODES } from "../domain/assignment.ts";

const FIRST_MS = 5000;
const LONGEST_MS = 300_000;
/** Whoever has served for less has not shown that it can be served. */
const PROBATION_MS = 60_000;

export interface QuarantineEntry {
  readonly code: NackCode;
  readonly message: string;
  readonly untilMs: number;
  readonly failures: number;
}

/**
 * Variants whose model can't be served. They are not tried again before a back-off that doubles from 5 s to 5 min is over,
 * so that a broken file costs neither CPU nor memory again and again. A load that succeeds ends the back-off, but what it has come to is
 * forgotten only when the variant has been in memory for as long, and a minute at least: it may crash under requests alone. Lack of memory is no
 * property of the model: it is looked at anew each time.
 */
export class Quarantine {
  readonly #entries = new Map<string, QuarantineEntry>();

  /** Null: may be tried. */
  get(variant: string, nowMs: number): QuarantineEntry | null {
    const entry = this.#entries.get(variant);
    return entry && nowMs < entry.untilMs ? entry : null;
  }

  /** Whether a variant that fails so is quarantined. */
  isFor(code: NackCode): boolean {
    return code !== "memory_short" && QUARANTINE_CODES.includes(code);
  }

  add(variant: string, code: NackCode, message: string, nowMs: number): void {
    if (!this.isFor(code)) return;
    const failures = (this.#entries.get(variant)?.failures ?? 0) + 1;
    this.#entries.set(variant, { code, message, untilMs: nowMs + backoffMs(failures), failures });
  }

  /** It could be loaded. */
  lift(variant: string): void {
    const entry = this.#entries.get(variant);
    if (entry) this.#entries.set(variant, { ...entry, untilMs: Number.NEGATIVE_INFINITY });
  }

  /** Its model file, which was missing, has come. */
  found(variant: string): void {
    if (this.#entries.get(variant)?.code === "model_missing") this.#entries.delete(variant);
  }

  /** Its session has been in memory for so long without a loss. */
  served(variant: string, forMs: number): void {
    const entry = this.#entries.get(variant);
    if (entry && forMs >= Math.max(PROBATION_MS, backoffMs(entry.failures))) this.#entries.delete(variant);
  }

  /** It was quarantined, and has not shown since that it can be served. */
  isOnProbation(variant: string): boolean {
    return this.#entries.has(variant);
  }
}

function backoffMs(failures: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
}
