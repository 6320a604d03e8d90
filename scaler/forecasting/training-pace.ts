/** Work in one go. */
const STINT_MS = 20;
const ALIVE_EVERY_MS = 5000;

export interface PaceSurroundings {
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Called every few seconds. */
  readonly tellAlive: () => void;
}

/** Keeps training to a share of the time: after each stint, however long it was, it rests for as long as makes up for it. */
export class TrainingPace {
  readonly #share: number;
  readonly #surroundings: PaceSurroundings;
  #sinceMs: number;
  #aliveMs: number;
  #busyMs = 0;

  /** @param share above 0, of one core. */
  constructor(share: number, surroundings: PaceSurroundings) {
    this.#share = share;
    this.#surroundings = surroundings;
    this.#sinceMs = surroundings.nowMs();
    this.#aliveMs = this.#sinceMs;
  }

  get busyMs(): number {
    return this.#busyMs + this.#surroundings.nowMs() - this.#sinceMs;
  }

  /** Null: it is not yet time to rest. */
  rest(): Promise<void> | null {
    const nowMs = this.#surroundings.nowMs();
    const stintMs = nowMs - this.#sinceMs;
    if (nowMs - this.#aliveMs > ALIVE_EVERY_MS) this.#tellAlive();
    if (stintMs < STINT_MS) return null;
    this.#busyMs += stintMs;
    return this.#sleep(stintMs * (1 / this.#share - 1));
  }

  async #sleep(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= ALIVE_EVERY_MS) {
      await this.#surroundings.sleep(Math.min(leftMs, ALIVE_EVERY_MS));
      if (leftMs > ALIVE_EVERY_MS) this.#tellAlive();
    }
    this.#sinceMs = this.#surroundings.nowMs();
  }

  #tellAlive(): void {
    this.#aliveMs = this.#surroundings.nowMs();
    this.#surroundings.tellAlive();
  }
}
