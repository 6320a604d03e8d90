import type { Stage } from "../domain/pipeline.ts";
import { findVariant } from "../domain/pipeline.ts";
import { expectedWorkMs, type ReplicaLoad } from "./balance.ts";
import type { Endpoint } from "./endpoint-source.ts";
import { type InferCall, InferClient, type InferResult } from "./infer-client.ts";
import { ServiceEstimate } from "./service-estimate.ts";

/** First back-off after a connection error; doubled by each further one in a row. */
const FIRST_BACK_OFF_MS = 100;
const LAST_BACK_OFF_MS = 5000;

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
  #told: string | undefined;
  #variant: string | undefined;
  #batch: number | undefined;
  #voter: string | undefined;
  #outstandingRows = 0;
  #calls = 0;
  #errorsInARow = 0;
  #leftOutUntilMs = Number.NEGATIVE_INFINITY;
  #removed = false;

  constructor(endpoint: Endpoint, stage: Stage, nowMs: () => number) {
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
    return this.#estimate.rowMs(this.#variant, this.#batch, this.#nowMs());
  }

  get batch(): number | undefined {
    return this.#batch;
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

  /** Takes over what the source says. Its word on the variant counts when it changes: answers may be ahead of it. */
  update(endpoint: Endpoint): void {
    this.#batch = endpoint.batch;
    this.#voter = endpoint.voter;
    if (endpoint.variant !== this.#told) this.#variant = endpoint.variant;
    this.#told = endpoint.variant;
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
    this.#estimate.observe({ variant: this.#variant, batch: this.#batch, rows }, nowMs - startedMs, nowMs);
    if (findVariant(this.#stage, result.version)) this.#variant = result.version;
  }

  #closeWhenIdle(): void {
    if (this.#removed && this.#calls === 0) this.#client.close();
  }
}
