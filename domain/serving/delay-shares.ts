/** Delays are kept by classes: class 0 has those below 0.05 ms, and each further one those up to a fifth longer than the one before, up to 3 s. */
const CLASSES = 64;
const LEAST_MS = 0.05;
const CLASSES_PER_DOUBLING = 4;
/** A delay counts where so many batches had it lately: two of them within a half-life. */
const LEAST_BATCHES = 1.5;

/** The shares of the time that batches with long and short delays take lately. */
export class DelayShares {
  readonly #halfLifeMs: number;
  /** Milliseconds of batches by class; older ones count for less. */
  readonly #tookMs = new Float64Array(CLASSES);
  /** How many batches those are. */
  readonly #batches = new Float64Array(CLASSES);
  #allMs = 0;
  #atMs = 0;

  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  add(delayMs: number, tookMs: number, endedMs: number): void {
    const left = 0.5 ** (Math.max(0, endedMs - this.#atMs) / this.#halfLifeMs);
    for (let at = 0; at < CLASSES; at += 1) {
      this.#tookMs[at] = left * (this.#tookMs[at] as number);
      this.#batches[at] = left * (this.#batches[at] as number);
    }
    const at = findClass(delayMs);
    this.#batches[at] = (this.#batches[at] as number) + 1;
    this.#tookMs[at] = (this.#tookMs[at] as number) + tookMs;
    this.#allMs = left * this.#allMs + tookMs;
    this.#atMs = endedMs;
  }

  /**
   * The shortest delay such that batches with a longer one take at most this share of the time, or are too few to come again soon: one hiccup of
   * the machine says nothing of the next batches.
   */
  findDelayMs(longerShare: number): number {
    let longerMs = 0;
    let longer = 0;
    for (let at = CLASSES - 1; at > 0; at -= 1) {
      longerMs += this.#tookMs[at] as number;
      longer += this.#batches[at] as number;
      if (longer >= LEAST_BATCHES && longerMs > longerShare * this.#allMs)
        return LEAST_MS * 2 ** (at / CLASSES_PER_DOUBLING);
    }
    return 0;
  }
}

function findClass(delayMs: number): number {
  if (!(delayMs >= LEAST_MS)) return 0;
  return Math.min(CLASSES - 1, 1 + Math.floor(CLASSES_PER_DOUBLING * Math.log2(delayMs / LEAST_MS)));
}
