import type { Stage } from "../domain/pipeline.ts";
import type { Endpoint } from "./endpoint-source.ts";
import { type InferCall, InferClient, type InferResult } from "./infer-client.ts";
import type { DecodedResponse } from "./infer-codec.ts";

/** First back-off after a connection error; doubled by each further one in a row. */
const FIRST_BACK_OFF_MS = 100;
const LAST_BACK_OFF_MS = 5000;
/** The same after a call that it refused, though it had nothing else to do for this gateway. */
const FIRST_PAUSE_MS = 10;
const LAST_PAUSE_MS = 1000;

/**
 * One replica as the gateway sees it. It is `open` to calls, or left out for a short back-off after connection errors in a row;
 * once removed it ends the calls that it has and then closes its connections.
 */
export class Replica {
  readonly address: string;
  /** The variant that it stands for in the stage's vote; undefined: it does not vote. */
  voter: string | undefined;
  readonly #client: InferClient;
  readonly #nowMs: () => number;
  #sentRows = 0;
  #calls = 0;
  #rowMs: number | null = null;
  /** Rows of other gateways that waited there as it answered last. */
  #othersRows = 0;
  #answeredAtMs = 0;
  #errorsInARow = 0;
  #leftOutUntilMs = Number.NEGATIVE_INFINITY;
  #refusalsInARow = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #removed = false;

  constructor({ address, voter }: Endpoint, stage: Stage, nowMs: () => number) {
    this.address = address;
    this.voter = voter;
    this.#nowMs = nowMs;
    this.#client = new InferClient(address, stage);
  }

  /** Rows that this gateway has sent to it and that it has not answered. */
  get sentRows(): number {
    return this.#sentRows;
  }

  /** Milliseconds that it takes for a row, by its last answer that said so; null: none did. */
  get rowMs(): number | null {
    return this.#rowMs;
  }

  /** Rows that it has not answered: this gateway's, and those of others that it has not worked off since it told of them. */
  get outstandingRows(): number {
    const workedOffRows = (this.#nowMs() - this.#answeredAtMs) / (this.#rowMs ?? 1);
    return this.#sentRows + Math.max(0, this.#othersRows - workedOffRows);
  }

  /** Until when it is left out; in the past when it is open. */
  get leftOutUntilMs(): number {
    return this.#leftOutUntilMs;
  }

  get isOpen(): boolean {
    return this.#leftOutUntilMs <= this.#nowMs();
  }

  /** Others are asked first: it is idle because it refuses, as one does that drains. */
  get isPaused(): boolean {
    return this.#pausedUntilMs > this.#nowMs();
  }

  async infer(call: InferCall): Promise<InferResult> {
    const rows = call.rows.length;
    this.#sentRows += rows;
    this.#calls += 1;
    try {
      const result = await this.#client.infer(call);
      if (result.kind === "unreachable") this.#leaveOut(call.signal);
      else {
        this.#errorsInARow = 0;
        this.#leftOutUntilMs = Number.NEGATIVE_INFINITY;
      }
      if (result.kind === "answered") this.#learn(result, rows);
      if (result.kind === "full") this.#pause(rows);
      return result;
    } finally {
      this.#sentRows -= rows;
      this.#calls -= 1;
      this.#closeWhenIdle();
    }
  }

  /** No further calls. */
  remove(): void {
    this.#removed = true;
    this.#closeWhenIdle();
  }

  #leaveOut(signal: AbortSignal): void {
    const nowMs = this.#nowMs();
    // A call that was cut says nothing, and calls that failed together are one error.
    if (signal.aborted || this.#leftOutUntilMs > nowMs) return;
    this.#errorsInARow += 1;
    this.#leftOutUntilMs = nowMs + Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (this.#errorsInARow - 1));
  }

  #pause(refusedRows: number): void {
    if (this.#sentRows > refusedRows || this.isPaused) return;
    this.#pausedUntilMs = this.#nowMs() + Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#refusalsInARow);
    this.#refusalsInARow += 1;
  }

  /** Rows that this gateway has sent wait there too, all but those that it just answered. */
  #learn({ queuedRows, rowMs }: DecodedResponse, answeredRows: number): void {
    this.#rowMs = rowMs ?? this.#rowMs;
    this.#othersRows = Math.max(0, (queuedRows ?? 0) - (this.#sentRows - answeredRows));
    this.#answeredAtMs = this.#nowMs();
    this.#refusalsInARow = 0;
    this.#pausedUntilMs = Number.NEGATIVE_INFINITY;
  }

  #closeWhenIdle(): void {
    if (this.#removed && this.#calls === 0) this.#client.close();
  }
}
