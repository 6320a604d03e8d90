import { type NackCode, QUARANTINE_CODES } from "../domain/assignment.ts";

const FIRST_MS = 5000;
const LONGEST_MS = 300_000;

export interface QuarantineEntry {
  readonly code: NackCode;
  readonly message: string;
  readonly untilMs: number;
  readonly failures: number;
}

/**
 * Variants whose model can't be served. They are not tried again before a back-off that doubles from 5 s to 5 min is over,
 * so that a broken file costs neither CPU nor memory again and again. Lack of memory is no property of the model: it is
 * looked at anew each time.
 */
export class Quarantine {
  readonly #entries = new Map<string, QuarantineEntry>();

  /** Null: may be tried. */
  get(variant: string, nowMs: number): QuarantineEntry | null {
    const entry = this.#entries.get(variant);
    return entry && nowMs < entry.untilMs ? entry : null;
  }

  add(variant: string, code: NackCode, message: string, nowMs: number): void {
    if (code === "memory_short" || !QUARANTINE_CODES.includes(code)) return;
    const failures = (this.#entries.get(variant)?.failures ?? 0) + 1;
    const untilMs = nowMs + Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
    this.#entries.set(variant, { code, message, untilMs, failures });
  }

  delete(variant: string): void {
    this.#entries.delete(variant);
  }
}
