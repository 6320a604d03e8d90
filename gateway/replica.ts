import type { Stage } from "../domain/pipeline.ts";
import { findVariant } from "../domain/pipeline.ts";
import { expectedWorkMs, type ReplicaLoad } from "./balance.ts";
import type { Endpoint } from "./endpoint-source.ts";
import { type InferCall, InferClient, type InferResult } from "./infer-client.ts";
import { ServiceEstimate, type Serving } from "./service-estimate.ts";

/** First back-off after a connection error; doubled by each further one in a row. */
const FIRST_BACK_OFF_MS = 100;
const LAST_BACK_OFF_MS = 5000;
/** A replica that has not answered yet is not tried again before. */
const TRIED_EVERY_MS = 1000;
const NOT_KNOWN: Serving = { variant: undefined, batch: undefined };

/** What the fastest or the slowest of the others serves; undefined: nothing is known of any. */
export type Guess = (which: "fastest" | "slowest") => Serving | undefined;

/** How a call found the replica. */
interface Found {
  /** Outstanding, its own included. */
  readonly rows: number;
  readonly startedMs: number;
  /** The variant of the last answer; undefined: there was none. */
  readonly before: string | undefined;
}

/**
 * One replica as the gateway sees it. It is `open` to calls, or left out for a short back-off after connection errors in a row;
 * once removed it ends the calls that it has and then closes its connections.
 */
export class Replica implements ReplicaLoad {
  readonly address: string;
  readonly #client: InferClient;
  readonly #estimate: ServiceEstimate;
  readonly #stage: Stage;
  readonly #nowMs: () => number;
  readonly #guess: Guess;
  #told: Serving = NOT_KNOWN;
  /** What it serves, or goes back to where it just protects itself. */
  #lasting: Serving = NOT_KNOWN;
  /** What its last answer was served by. */
  #answering: Serving = NOT_KNOWN;
  #voter: string | undefined;
  #outstandingRows = 0;
  #calls = 0;
  /** When it last gave no answer. */
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #errorsInARow = 0;
  #leftOutUntilMs = Number.NEGATIVE_INFINITY;
  #removed = false;

  constructor(endpoint: Endpoint, stage: Stage, nowMs: () => number, guess: Guess = () => undefined) {
    this.#guess = guess;
    this.address = endpoint.address;
    this.#stage = stage;
    this.#nowMs = nowMs;
    this.#client = new InferClient(endpoint.address, stage.name, stage.contract);
    this.#estimate = new ServiceEstimate(stage);
    this.update(endpoint);
  }

  get outstandingRows(): number {
    return this.#outstandingRows;
  }

  /** For balancing: by what it serves for longer than a moment, so that one that protects itself does not draw the load to it. */
  get rowMs(): number {
    return this.#estimate.rowMs(this.#likely(), this.#nowMs());
  }

  /** What it serves, or goes back to where it just protects itself; null: that is not known yet. */
  get serving(): Serving | null {
    return this.#lasting.variant === undefined ? null : this.#lasting;
  }

  get batch(): number | undefined {
    return this.#lasting.batch;
  }

  /** The variant that it stands for in the stage's vote; undefined: it does not vote. */
  get voter(): string | undefined {
    return this.#voter;
  }

  /** Until when it is left out; in the past when it is open. */
  get leftOutUntilMs(): number {
    return this.#leftOutUntilMs;
  }

  get isOpen(): boolean {
    return this.#leftOutUntilMs <= this.#nowMs();
  }

  /** Until it is done with what it has and `rows` more, as fast as it answers now or goes on to: one of them may be out of date. */
  expectedWorkMs(rows: number): number {
    const nowMs = this.#nowMs();
    const lastingMs = this.#estimate.rowMs(this.#likely(), nowMs);
    const isKnown = this.#answering.variant !== undefined;
    const answeringMs = isKnown ? this.#estimate.rowMs(this.#answering, nowMs) : lastingMs;
    return expectedWorkMs({ outstandingRows: this.#outstandingRows, rowMs: Math.min(lastingMs, answeringMs) }, rows);
  }

  /** Takes over what the source says. Its word on what is served counts when it changes: answers may be ahead of it. */
  update({ variant, batch, voter }: Endpoint): void {
    this.#voter = voter;
    const told: Partial<Serving> = {
      ...(variant !== this.#told.variant && { variant }),
      ...(batch !== this.#told.batch && { batch }),
    };
    this.#lasting = { ...this.#lasting, ...told };
    this.#answering = { ...this.#answering, ...told };
    this.#told = { variant, batch };
  }

  async infer(call: InferCall): Promise<InferResult> {
    const rows = call.rows.length;
    this.#outstandingRows += rows;
    this.#calls += 1;
    const foundRows = this.#outstandingRows;
    const startedMs = this.#nowMs();
    const before = this.#answering.variant;
    try {
      const result = await this.#client.infer(call);
      this.#learn(result, { rows: foundRows, startedMs, before }, call.signal);
      return result;
    } finally {
      this.#outstandingRows -= rows;
      this.#calls -= 1;
      this.#closeWhenIdle();
    }
  }

  /** No further calls. */
  remove(): void {
    this.#removed = true;
    this.#closeWhenIdle();
  }

  #learn(result: InferResult, found: Found, signal: AbortSignal): void {
    const nowMs = this.#nowMs();
    if (result.kind === "unreachable") {
      if (signal.aborted) return;
      // Calls that failed together are one error.
      if (this.#leftOutUntilMs > nowMs) return;
      this.#errorsInARow += 1;
      const backOffMs = Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (this.#errorsInARow - 1));
      this.#leftOutUntilMs = nowMs + backOffMs;
      return;
    }
    this.#errorsInARow = 0;
    this.#leftOutUntilMs = Number.NEGATIVE_INFINITY;
    if (result.kind !== "answered") {
      this.#triedAtMs = nowMs;
      return;
    }
    const { version } = result;
    const lasting = result.lasting && findVariant(this.#stage, result.lasting.variant) ? result.lasting : null;
    const isVariant = findVariant(this.#stage, version) !== undefined;
    const batch = lasting?.batch ?? this.#told.batch;
    const answering = isVariant ? { variant: version, batch } : this.#likely();
    // The time of a call that waited while the variant changed is that of neither.
    if (found.before === undefined || found.before === answering.variant)
      this.#estimate.observe(answering, found.rows, nowMs - found.startedMs, nowMs);
    if (!isVariant) return;
    this.#answering = answering;
    this.#lasting = lasting ?? answering;
  }

  /**
   * Of a replica that has not answered, and that nothing is told of: an idle one is tried, and has hardly more until it answers. Where it
   * refuses, as others keep it busy, it is left alone for a while.
   */
  #likely(): Serving {
    if (this.#lasting.variant !== undefined) return this.#lasting;
    const { batch } = this.#lasting;
    if (this.#voter !== undefined) return { variant: this.#voter, batch };
    const isTried = this.#outstandingRows === 0 && this.#nowMs() - this.#triedAtMs >= TRIED_EVERY_MS;
    const guess = this.#guess(isTried ? "fastest" : "slowest");
    return { variant: guess?.variant, batch: batch ?? guess?.batch };
  }

  #closeWhenIdle(): void {
    if (this.#removed && this.#calls === 0) this.#client.close();
  }
}
