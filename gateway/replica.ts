import type { Stage } from "../domain/pipeline.ts";
import { findVariant } from "../domain/pipeline.ts";
import { expectedWorkMs, type ReplicaLoad } from "./balance.ts";
import type { Endpoint } from "./endpoint-source.ts";
import { type InferCall, InferClient, type InferResult } from "./infer-client.ts";
import { ServiceEstimate, type Serving } from "./service-estimate.ts";

/** First back-off after a connection error; doubled by each further one in a row. */
const FIRST_BACK_OFF_MS = 100;
const LAST_BACK_OFF_MS = 5000;
const NOT_KNOWN: Serving = { variant: undefined, batch: undefined };

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
  #told: Serving = NOT_KNOWN;
  #serving: Serving = NOT_KNOWN;
  readonly #guess: Serving;
  #voter: string | undefined;
  #outstandingRows = 0;
  #calls = 0;
  #errorsInARow = 0;
  #leftOutUntilMs = Number.NEGATIVE_INFINITY;
  #removed = false;

  /** @param guess what it most likely serves, until it is told or its answers say. */
  constructor(endpoint: Endpoint, stage: Stage, nowMs: () => number, guess: Serving = NOT_KNOWN) {
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

  get rowMs(): number {
    return this.#estimate.rowMs(this.#likely(), this.#nowMs());
  }

  /** What it serves, but while it protects itself; null: that is not known yet. */
  get serving(): Serving | null {
    return this.#serving.variant === undefined ? null : this.#serving;
  }

  get batch(): number | undefined {
    return this.#serving.batch;
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

  expectedWorkMs(rows: number): number {
    return expectedWorkMs(this, rows);
  }

  /** Takes over what the source says. Its word on what is served counts when it changes: answers may be ahead of it. */
  update({ variant, batch, voter }: Endpoint): void {
    this.#voter = voter;
    if (variant !== this.#told.variant || batch !== this.#told.batch) this.#serving = { variant, batch };
    this.#told = { variant, batch };
  }

  async infer(call: InferCall): Promise<InferResult> {
    const rows = call.rows.length;
    this.#outstandingRows += rows;
    this.#calls += 1;
    const foundRows = this.#outstandingRows;
    const startedMs = this.#nowMs();
    try {
      const result = await this.#client.infer(call);
      this.#learn(result, foundRows, startedMs, call.signal);
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

  #learn(result: InferResult, rows: number, startedMs: number, signal: AbortSignal): void {
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
    if (result.kind !== "answered") return;
    const { version, assigned } = result;
    const { variant, batch } = this.#likely();
    const isVariant = findVariant(this.#stage, version) !== undefined;
    this.#estimate.observe({ variant: isVariant ? version : variant, batch }, rows, nowMs - startedMs, nowMs);
    if (!isVariant) return;
    // A replica that protects itself is as slow again in a moment as it is assigned to be: what it serves meanwhile would draw the load to it.
    const isKnown = assigned !== null && findVariant(this.#stage, assigned.variant) !== undefined;
    this.#serving = isKnown ? assigned : { variant: version, batch: this.#serving.batch };
  }

  #likely(): Serving {
    const { variant, batch } = this.#serving;
    return { variant: variant ?? this.#guess.variant, batch: batch ?? this.#guess.batch };
  }

  #closeWhenIdle(): void {
    if (this.#removed && this.#calls === 0) this.#client.close();
  }
}
