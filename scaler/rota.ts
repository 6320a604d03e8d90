import type { Clock } from "./clock.ts";

/** Waking up for each of hundreds of jobs costs as much as the job: those of so long a time run at one waking. */
const SLOT_MS = 20;
/** Of them, those of so long a time run at once: what they ask for is answered together, too. */
const AT_ONCE_MS = 1;
/** Slots that are made good when timers come late. */
const MOST_SLOTS = 2;

type Job = () => void;

/**
 * Runs jobs in turn, each once a period, spread evenly over it. Whoever calls waits for those of a millisecond and the one that ends after it,
 * and not for all. One job alone has the whole period.
 */
export class Rota {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #onRound: () => void;
  #jobs: readonly Job[] = [];
  /** Index of the job whose turn is next. */
  #next = 0;
  /** It ended between two turns. */
  #isRoundOver = false;
  #slotMs = 0;
  /** Of one job's turn. */
  #jobMs = 0;
  /** When it woke up last. */
  #lastMs: number;
  /** Time that is over and whose turns are still to be had. */
  #creditMs = 0;
  /** Of the turns that the last waking found due, those that are left. */
  #due = 0;
  #isRunning = false;
  #stop: () => void = () => undefined;

  /** @param onRound called each time that all jobs have had their turn. */
  constructor(clock: Clock, periodMs: number, onRound: () => void = () => undefined) {
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#onRound = onRound;
    this.#lastMs = clock.nowMs();
  }

  /** The job's first turn comes within one period; it has turns until the function that this returns is called. */
  join(job: Job): () => void {
    this.#set([...this.#jobs, job]);
    return () => this.#set(this.#jobs.filter(other => other !== job));
  }

  close(): void {
    this.#set([]);
  }

  /** Jobs that stay keep their turn, so that none waits for ever where others come and go. What is due now is made good at the next waking. */
  #set(jobs: readonly Job[]): void {
    const first = this.#jobs.slice(this.#next).find(job => jobs.includes(job));
    // Those whose turn had not come are gone.
    if (!first && this.#next > 0) this.#isRoundOver = true;
    const wasEmpty = this.#jobs.length === 0;
    this.#jobs = jobs;
    this.#next = first ? jobs.indexOf(first) : 0;
    this.#due = 0;
    const nowMs = this.#clock.nowMs();
    if (wasEmpty) {
      this.#lastMs = nowMs;
      this.#creditMs = 0;
      this.#isRoundOver = false;
    }
    const wholeMs = Math.floor(this.#periodMs / Math.max(1, jobs.length));
    const slotMs = Math.max(SLOT_MS, wholeMs);
    // Timers know whole milliseconds only: rather a little less than a period than a little more.
    this.#jobMs = wholeMs >= SLOT_MS ? wholeMs : this.#periodMs / jobs.length;
    if (slotMs === this.#slotMs && jobs.length > 0 && !wasEmpty) return;
    this.#stop();
    this.#stop = () => undefined;
    this.#slotMs = slotMs;
    if (jobs.length === 0) return;
    this.#stop = this.#clock.every(slotMs, () => this.#wake());
    if (nowMs - this.#lastMs >= slotMs) this.#clock.soon(() => this.#wake());
  }

  #wake(): void {
    const nowMs = this.#clock.nowMs();
    // Timers come late rather than early: what they lose is made good, but never by a second turn at once. Jobs that take longer than
    // there is time for make rounds longer, and nobody wait for a whole round.
    this.#creditMs = Math.min(this.#creditMs + Math.max(nowMs - this.#lastMs, 0), MOST_SLOTS * this.#slotMs);
    this.#lastMs = nowMs;
    this.#due = Math.min(Math.round(this.#creditMs / this.#jobMs), this.#jobs.length);
    if (!this.#isRunning) this.#run();
  }

  #run(): void {
    const startMs = this.#clock.nowMs();
    this.#isRunning = true;
    while (this.#due > 0) {
      this.#due -= 1;
      this.#creditMs -= this.#jobMs;
      const job = this.#jobs[this.#next];
      this.#next = (this.#next + 1) % this.#jobs.length;
      const isRoundOver = this.#next === 0 || this.#isRoundOver;
      this.#isRoundOver = false;
      job?.();
      if (isRoundOver) this.#onRound();
      if (this.#due > 0 && Math.abs(this.#clock.nowMs() - startMs) >= AT_ONCE_MS) {
        this.#clock.soon(() => this.#run());
        return;
      }
    }
    this.#isRunning = false;
  }
}
