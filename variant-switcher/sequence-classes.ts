/** Sequences that are remembered; the longest unused is forgotten first. */
const REMEMBERED = 1024;

/**
 * Follows the class along sequences: video frames, for example, whose class rarely changes from one to the next. `flicker`: it is back
 * to what it was before the last one, so the last one was probably wrong; `class_change`: any other change.
 */
export class SequenceClasses {
  readonly #last = new Map<string, { readonly now: number; readonly before: number | null }>();

  /** Null: the class is what it was, or the sequence is new. */
  next(sequence: string, found: number): "flicker" | "class_change" | null {
    const known = this.#last.get(sequence);
    this.#last.delete(sequence);
    if (!known || known.now === found) {
      // A class that was there twice is no flicker.
      this.#remember(sequence, { now: found, before: null });
      return null;
    }
    this.#remember(sequence, { now: found, before: known.now });
    return known.before === found ? "flicker" : "class_change";
  }

  #remember(sequence: string, state: { readonly now: number; readonly before: number | null }): void {
    this.#last.set(sequence, state);
    if (this.#last.size <= REMEMBERED) return;
    const [oldest] = this.#last.keys();
    if (oldest !== undefined) this.#last.delete(oldest);
  }
}
