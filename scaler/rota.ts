import type { Clock } from "./clock.ts";

/** Slots that are shorter cost more in timers than they spare in waiting. */
const LEAST_SLOT_MS = 5;
/** Slots that one timer gives at most, to make good what timers lose: calls wait for no more jobs than these have. */
const MOST_SLOTS = 2;

/**
 * Runs jobs in turn, each once a period, spread evenly over it: whoever calls meanwhile waits for one job and not for all. One
 * job alone has the whole period.
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
    const slotMs = Math.max(LEAST_SLOT_MS, Math.floor(this.#periodMs / jobs.length));
    const slots = Math.max(1, Math.floor(this.#periodMs / slotMs));
    let slot = 0;
    let creditMs = 0;
    let lastMs = this.#clock.nowMs();
    this.#stop = this.#clock.every(slotMs, () => {
      const nowMs = this.#clock.nowMs();
      // Timers come late rather than early: what they lose is made good, but never by a second turn at once. Jobs that take longer than
      // their slots make rounds longer, and nobody wait for a whole round.
      creditMs = Math.min(creditMs + Math.max(nowMs - lastMs, 0), MOST_SLOTS * slotMs);
      lastMs = nowMs;
      for (let turn = 0; turn < Math.min(slots, MOST_SLOTS) && creditMs >= slotMs / 2; turn++) {
        const next = slot + 1;
        const from = Math.floor((slot * jobs.length) / slots);
        for (const job of jobs.slice(from, Math.floor((next * jobs.length) / slots))) job();
        creditMs -= slotMs;
        slot = next % slots;
        if (slot === 0) this.#onRound();
      }
    });
  }
}
