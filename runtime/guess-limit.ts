/** Wrong tokens that one address may show within the window. */
const MOST_GUESSES = 20;
const WINDOW_MS = 60_000;
/** Addresses that are remembered; the oldest one is forgotten for a new one. */
const MOST_ADDRESSES = 10_000;

interface Guesses {
  count: number;
  readonly sinceMs: number;
}

/** Slows down who guesses tokens: an address that has shown too many wrong ones within a minute is not listened to until that minute is over. */
export class GuessLimit {
  readonly #byAddress = new Map<string, Guesses>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  get addresses(): number {
    return this.#byAddress.size;
  }

  /** Seconds until the address is listened to again; 0: it is now. */
  countWaitSeconds(address: string): number {
    const guesses = this.#find(address);
    if (!guesses || guesses.count < MOST_GUESSES) return 0;
    return Math.max(1, Math.ceil((guesses.sinceMs + WINDOW_MS - this.#nowMs()) / 1000));
  }

  /** Notes that the address has shown a wrong token. */
  note(address: string): void {
    const guesses = this.#find(address);
    if (guesses) {
      guesses.count++;
      return;
    }
    const [oldest] = this.#byAddress.keys();
    if (oldest !== undefined && this.#byAddress.size >= MOST_ADDRESSES) this.#byAddress.delete(oldest);
    this.#byAddress.set(address, { count: 1, sinceMs: this.#nowMs() });
  }

  #find(address: string): Guesses | null {
    const guesses = this.#byAddress.get(address);
    if (guesses === undefined) return null;
    if (this.#nowMs() - guesses.sinceMs < WINDOW_MS) return guesses;
    this.#byAddress.delete(address);
    return null;
  }
}
