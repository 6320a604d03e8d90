import type { LastMinute } from "../domain/load-report.ts";
import type { DropReason, Outcome } from "./outcome.ts";

const SECONDS = 60;
/** The newest ones, which are told by themselves. */
const RECENT_SECONDS = 10;
/** Latencies are counted in steps of a tenth, from 1 ms to ten minutes; the last one has no end. */
const STEP = 1.1;
const STEPS = Math.ceil(Math.log(600_000) / Math.log(STEP)) + 1;
/** Beside the steps: requests that ended, and those of them that were served in time. */
const ENDED = STEPS;
const IN_TIME = STEPS + 1;
/** Those that ended for want of time or replicas, or with a result. */
const SERVABLE = STEPS + 2;
const WIDTH = STEPS + 3;

/** An outcome, as far as it counts here. */
interface Ended {
  readonly kind: Outcome["kind"];
  readonly reason?: DropReason;
}

/** How requests of the last minute ended: counts by second and latency, 30 kB whatever the load. */
export class AnswerWindow {
  readonly #sloMs: number;
  /** Second `s` stands at `s % SECONDS`, each with WIDTH counts. */
  readonly #counts = new Uint32Array(SECONDS * WIDTH);
  #second: number;

  /** @param nowMs milliseconds since 1970, as in all calls. */
  constructor(sloMs: number, nowMs: number) {
    this.#sloMs = sloMs;
    this.#second = Math.floor(nowMs / 1000);
  }

  end(outcome: Ended, latencyMs: number, nowMs: number): void {
    // What a client did wrong or did not wait for says nothing of the pipeline.
    if (outcome.kind === "invalid" || outcome.kind === "cancelled") return;
    this.#advance(nowMs);
    const from = (this.#second % SECONDS) * WIDTH;
    this.#count(from + ENDED);
    if (isServable(outcome)) this.#count(from + SERVABLE);
    if (outcome.kind !== "served") return;
    if (latencyMs <= this.#sloMs) this.#count(from + IN_TIME);
    this.#count(from + stepOf(latencyMs));
  }

  report(nowMs: number): LastMinute {
    this.#advance(nowMs);
    const steps = Array.from({ length: STEPS }, (_, step) => this.#sum(step, SECONDS));
    const served = steps.reduce((sum, count) => sum + count, 0);
    const latencyMs = served === 0 ? null : { p50: quantile(steps, served, 0.5), p99: quantile(steps, served, 0.99) };
    const recent = { ended: this.#sum(SERVABLE, RECENT_SECONDS), inTime: this.#sum(IN_TIME, RECENT_SECONDS) };
    return { ended: this.#sum(ENDED, SECONDS), inTime: this.#sum(IN_TIME, SECONDS), recent, latencyMs };
  }

  /** The count of a step, or beside the steps, over the newest seconds. */
  #sum(place: number, seconds: number): number {
    let sum = 0;
    for (let second = Math.max(0, this.#second - seconds + 1); second <= this.#second; second++)
      sum += this.#counts[(second % SECONDS) * WIDTH + place] ?? 0;
    return sum;
  }

  #count(index: number): void {
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  /** Clears the seconds that began since; a clock that was set back goes on in the second where it was. */
  #advance(nowMs: number): void {
    const now = Math.floor(nowMs / 1000);
    for (let second = Math.max(this.#second + 1, now - SECONDS + 1); second <= now; second++)
      this.#counts.fill(0, (second % SECONDS) * WIDTH, (second % SECONDS) * WIDTH + WIDTH);
    this.#second = Math.max(this.#second, now);
  }
}

/** More replicas would not have helped a request that failed, was lost or whose client was slow. */
function isServable({ kind, reason }: Ended): boolean {
  return kind === "served" || (kind === "dropped" && reason !== "slow_body");
}

function stepOf(latencyMs: number): number {
  return Math.min(STEPS - 1, Math.max(0, Math.ceil(Math.log(Math.max(1, latencyMs)) / Math.log(STEP))));
}

/** The middle of the step that the quantile is in, by ratio: at most a twentieth off. */
function quantile(steps: readonly number[], served: number, share: number): number {
  let seen = 0;
  const step = steps.findIndex(count => {
    seen += count;
    return seen >= share * served;
  });
  return Number((STEP ** (step - 0.5)).toPrecision(4));
}
