import type { Clock } from "../../../scaler/clock.ts";

interface Timer {
  readonly periodMs: number;
  readonly run: () => void;
  dueMs: number;
}

/** Time that a test moves by hand. */
export class ManualClock implements Clock {
  readonly #timers = new Set<Timer>();
  readonly #soon: (() => void)[] = [];
  #nowMs: number;

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  every(periodMs: number, run: () => void): () => void {
    const timer = { periodMs, run, dueMs: this.#nowMs + periodMs };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Runs what falls due, in its order; what it leaves to the event loop has had some turns when this is done. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      for (let run = this.#soon.shift(); run; run = this.#soon.shift()) run();
      const next = [...this.#timers].filter(timer => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (!next) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.dueMs += next.periodMs;
      next.run();
      for (let run = this.#soon.shift(); run; run = this.#soon.shift()) run();
      await turns();
    }
    this.#nowMs = untilMs;
    await turns();
  }

  /** Moves the time without running anything, as a clock does that is set. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }
}

/** Some turns of the event loop. */
export async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve));
}

/** Waits for a condition. The time is for the case that it never holds, and is long: no test fails for being slow. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 1));
  }
}
