/** Work is looked through for passed deadlines no more often than this. */
const SWEEP_MS = 20;
/** Node's timers take a longer time for none. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Looks after deadlines while nothing runs. A timer that comes often would wake the thread beside the model for nothing. */
export class DeadlineSweep {
  readonly #sweep: () => void;
  #timer: NodeJS.Timeout | undefined;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(sweep: () => void) {
    this.#sweep = sweep;
  }

  /** Sees to it that it sweeps at the next deadline, on the clock of performance.now(), or soon after. */
  setFor(deadlineMs: number): void {
    const nowMs = performance.now();
    const atMs = Math.max(deadlineMs, nowMs + SWEEP_MS);
    if (this.#atMs <= atMs) return;
    clearTimeout(this.#timer);
    this.#atMs = atMs;
    this.#timer = setTimeout(
      () => {
        this.#atMs = Number.POSITIVE_INFINITY;
        this.#sweep();
      },
      Math.min(atMs - nowMs, LONGEST_TIMER_MS),
    ).unref();
  }
}
