import type { Clock } from "./clock.ts";

/** Waking up for each of hundreds of jobs costs as much as the job: those of so long a time run at one waking. */
const SLOT_MS = 20;
/** Of them, those of so long a time run at once: what they ask for is answered together, too. */
const AT_ONCE_MS = 1;
/** Slots that are made good when timers come late. */
const MOST_SLOTS = 2;

/**
 * Runs jobs in turn, each once a period, spread evenly over it. Whoever calls waits for those of a millisecond, or for one that takes longer,
 * and not for all. One job alone has the whole period.
 */
export class Rota {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #onRound: () => void;
  #jobs: readonly (() => void)[] = [];
  #stop: () => void = () => undefined;

  /** @param onRound called each time that all jobs have had their turn. */
  constructor(clock: Clock, periodMs: number, onRound: () => void = () => undefined) {
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#onRound = onRound;
  }

  /** The job's first turn comes within one period; it has turns until the function that this returns is called. */
  join(job: () => void): () => void {
    this.#set([...this.#jobs, job]);
    return () => this.#set(this.#jobs.filter(other => other !== job));
  }

  close(): void {
    this.#set([]);
  }

  #set(jobs: readonly (() => void)[]): void {
    this.#stop();
    this.#jobs = jobs;
    if (jobs.length === 0) return;
    const wholeMs = Math.floor(this.#periodMs / jobs.length);
    const slotMs = Math.max(SLOT_MS, wholeMs);
    // Timers know whole milliseconds only: rather a little less than a period than a little more.
    const jobMs = wholeMs >= SLOT_MS ? wholeMs : this.#periodMs / jobs.length;
    let next = 0;
    let creditMs = 0;
    let lastMs = this.#clock.nowMs();
    let due = 0;
    let isRunning = false;
    const run = (): void => {
      const startMs = this.#clock.nowMs();
      while (due > 0 && this.#jobs === jobs) {
        if (this.#clock.nowMs() - startMs >= AT_ONCE_MS) {
          this.#clock.soon(run);
          return;
        }
        due -= 1;
        creditMs -= jobMs;
        const job = jobs[next];
        next = (next + 1) % jobs.length;
        job?.();
        if (next === 0) this.#onRound();
      }
      isRunning = false;
    };
    this.#stop = this.#clock.every(slotMs, () => {
      const nowMs = this.#clock.nowMs();
      // Timers come late rather than early: what they lose is made good, but never by a second turn at once. Jobs that take longer than
      // there is time for make rounds longer, and nobody wait for a whole round.
      creditMs = Math.min(creditMs + Math.max(nowMs - lastMs, 0), MOST_SLOTS * slotMs);
      lastMs = nowMs;
      due = Math.min(Math.round(creditMs / jobMs), jobs.length);
      if (isRunning) return;
      isRunning = true;
      run();
    });
  }
}
