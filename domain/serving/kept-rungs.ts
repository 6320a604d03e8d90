/**
 * The rungs that calls keep, so that a retry gets the rung of its first try, and the frames of a camera do not flicker between rungs. A call is
 * served by nothing more accurate than what it keeps: that never makes anybody late.
 */

import { setNewest } from "./set-newest.ts";

/** More keys of one kind are not remembered: those that were not used for longest go first. */
export const MOST_KEYS = 10_000;
/** A retry comes within this time. */
const REQUEST_MS = 30_000;
const SEQUENCE_MS = 2000;
/** A rung is chosen again for one call when its time is over; the others keep it until that call is served, for so long at most. */
const RENEWAL_MS = 1000;

/** Calls with the same key keep a rung together. */
export interface Key {
  /** It begins with the kind of the key, as a word. */
  readonly text: string;
  /** From when a rung is chosen until it is chosen again. */
  readonly ttlMs: number;
}

export interface KeptRung {
  /** It is null where its caller has said what the call keeps, and nothing is remembered. */
  readonly key: Key | null;
  /** It is null as long as none was chosen. */
  variant: string | null;
  untilMs: number;
}

/** The keys of a call, in the order in which they count. A call may have no id, and be of no sequence. */
export function createKeys(requestId: string | null, sequenceId: string | null): readonly Key[] {
  const keys: Key[] = [];
  if (requestId) keys.push({ text: `request ${requestId}`, ttlMs: REQUEST_MS });
  if (sequenceId) keys.push({ text: `sequence ${sequenceId}`, ttlMs: SEQUENCE_MS });
  return keys;
}

/** A call keeps this that is served by `variant` at most. */
export function keepAtMost(variant: string): readonly KeptRung[] {
  return [{ key: null, variant, untilMs: Number.POSITIVE_INFINITY }];
}

/** The most accurate variant that may serve a call by what it keeps: the first one that was chosen; null: any may. */
export function findLimit(kept: readonly Pick<KeptRung, "variant">[]): string | null {
  for (const { variant } of kept) if (variant !== null) return variant;
  return null;
}

/** Remembers by key which rungs were chosen. */
export class KeptRungs {
  /** By kind, as every request may have an id of its own, and by key; the key that was not used for longest is the first. */
  readonly #byKind = new Map<string, Map<string, KeptRung>>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The rungs that a call with these keys keeps. Calls that wait together share them: a rung that is chosen for one of them holds for all. */
  find(keys: readonly Key[]): readonly KeptRung[] {
    return keys.map(key => this.#find(key));
  }

  /** A call that was to be served by `limit` at most is served by `variant`, which is lighter where time was short, or where `limit` is gone. */
  settle(kept: readonly KeptRung[], limit: string | null, variant: string): void {
    for (const one of kept) {
      if (one.key === null || (one.variant !== null && (one.variant !== limit || variant === limit))) continue;
      one.variant = variant;
      one.untilMs = this.#nowMs() + one.key.ttlMs;
      this.#remember(one.key, one);
    }
  }

  #find(key: Key): KeptRung {
    const known = this.#findKind(key).get(key.text);
    const nowMs = this.#nowMs();
    if (known && nowMs >= known.untilMs) {
      known.untilMs = nowMs + RENEWAL_MS;
      return { key, variant: null, untilMs: Number.POSITIVE_INFINITY };
    }
    const kept = known ?? { key, variant: null, untilMs: Number.POSITIVE_INFINITY };
    this.#remember(key, kept);
    return kept;
  }

  #remember(key: Key, kept: KeptRung): void {
    setNewest(this.#findKind(key), key.text, kept, MOST_KEYS);
  }

  #findKind({ text }: Key): Map<string, KeptRung> {
    const [kind = ""] = text.split(" ", 1);
    const byKey = this.#byKind.get(kind) ?? new Map<string, KeptRung>();
    this.#byKind.set(kind, byKey);
    return byKey;
  }
}
