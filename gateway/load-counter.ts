import type { LoadSample } from "../domain/load.ts";
import type { LoadReport } from "../domain/load-report.ts";
import { DROP_REASONS, type DropReason, type Outcome } from "./outcome.ts";

const SECONDS = 60;

/** Counts requests exactly: every one that is offered ends once. */
export class LoadCounter {
  readonly #epoch: string;
  readonly #startedAtMs: number;
  /** Offered in second `s` stands at `s % SECONDS`. */
  readonly #perSecond = new Array<number>(SECONDS + 1).fill(0);
  readonly #dropped = Object.fromEntries(DROP_REASONS.map(reason => [reason, 0])) as Record<DropReason, number>;
  readonly #ended = { served: 0, lost: 0, failed: 0, invalid: 0, cancelled: 0 };
  #second: number;
  #offered = 0;
  #inFlight = 0;

  constructor(epoch: string, nowMs: number) {
    this.#epoch = epoch;
    this.#startedAtMs = nowMs;
    this.#second = Math.floor(nowMs / 1000);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get offered(): number {
    return this.#offered;
  }

  offer(nowMs: number): void {
    this.#advance(nowMs);
    const slot = this.#second % this.#perSecond.length;
    this.#perSecond[slot] = (this.#perSecond[slot] ?? 0) + 1;
    this.#offered += 1;
    this.#inFlight += 1;
  }

  end(outcome: Outcome): void {
    this.#inFlight -= 1;
    if (outcome.kind === "dropped") this.#dropped[outcome.reason] += 1;
    else this.#ended[outcome.kind] += 1;
  }

  report(nowMs: number): Omit<LoadReport, "lastMinute" | "estimates"> {
    this.#advance(nowMs);
    const seconds: LoadSample[] = [];
    const first = Math.max(Math.floor(this.#startedAtMs / 1000), this.#second - SECONDS);
    for (let second = first; second < this.#second; second++)
      seconds.push({ atMs: (second + 1) * 1000, rateRps: this.#perSecond[second % this.#perSecond.length] ?? 0 });
    return {
      epoch: this.#epoch,
      startedAtMs: this.#startedAtMs,
      atMs: nowMs,
      offered: this.#offered,
      ...this.#ended,
      dropped: { ...this.#dropped },
      inFlight: this.#inFlight,
      seconds,
    };
  }

  /** Clears the seconds that began since; a clock that was set back goes on in the second where it was. */
  #advance(nowMs: number): void {
    const now = Math.floor(nowMs / 1000);
    const from = Math.max(this.#second + 1, now - this.#perSecond.length + 1);
    for (let second = from; second <= now; second++) this.#perSecond[second % this.#perSecond.length] = 0;
    this.#second = Math.max(this.#second, now);
  }
}
