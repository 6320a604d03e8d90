import { setMaxListeners } from "node:events";
import type { Key } from "../domain/serving/kept-rungs.ts";
import type { TraceSpan } from "../runtime/tracing/tracing.ts";
import type { DropReason, Failure } from "./outcome.ts";

/** The part of a request's life that is needed to send its rows. */
export type RowScope = Pick<
  RequestScope,
  "id" | "span" | "controls" | "waitsFor" | "failure" | "ended" | "unwanted" | "remainingMs" | "sloRemainingMs" | "end"
>;

/** The wishes of a request to the replicas that serve it. */
export interface RequestControls {
  /** The sequence that it belongs to; null: none. */
  readonly sequenceId: string | null;
  /** The variant that must serve it, by stage; stages that are missing leave it to their replicas. */
  readonly variants: ReadonlyMap<string, string>;
  /** Requests of the same key keep a variant, in the order in which they count. */
  readonly keys: readonly Key[];
}

const NO_CONTROLS: RequestControls = { sequenceId: null, variants: new Map(), keys: [] };

/**
 * The life of one request: it ends once, early or at its end. Whoever finds that it can't go on (deadline, client gone, a
 * replica lost, code that throws) ends it, and everything that waits for it hears of that.
 */
export class RequestScope {
  readonly id: string;
  /** The span of the request; null: it is not traced. */
  readonly span: TraceSpan | null;
  readonly controls: RequestControls;
  readonly deadlineMs: number;
  readonly #sloDeadlineMs: number;
  /** Resolves when the request ends without a result; never rejects. */
  readonly ended: Promise<Failure>;
  /** The reason of its end if its deadline passes now. */
  waitsFor: Exclude<DropReason, "slow_body"> = "deadline";
  readonly #nowMs: () => number;
  readonly #unwanted = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #failure: Failure | null = null;
  #resolve: (failure: Failure) => void = () => {};

  /** Deadlines are on the clock of `nowMs`; without one of the SLO there is the deadline alone. */
  constructor(options: {
    readonly id: string;
    readonly deadlineMs: number;
    readonly sloDeadlineMs?: number;
    readonly nowMs: () => number;
    readonly clientGone: AbortSignal;
    readonly span?: TraceSpan | null;
    readonly controls?: RequestControls;
  }) {
    // Each of its calls listens, and a request has as many as rows.
    setMaxListeners(0, this.#unwanted.signal);
    this.id = options.id;
    this.span = options.span ?? null;
    this.controls = options.controls ?? NO_CONTROLS;
    this.deadlineMs = options.deadlineMs;
    this.#sloDeadlineMs = options.sloDeadlineMs ?? options.deadlineMs;
    this.#nowMs = options.nowMs;
    this.ended = new Promise(resolve => {
      this.#resolve = resolve;
    });
    this.#timer = setTimeout(() => this.#expire(), Math.max(0, this.remainingMs()));
    const gone = (): void => this.end({ kind: "cancelled" });
    if (options.clientGone.aborted) gone();
    else options.clientGone.addEventListener("abort", gone, { once: true });
  }

  /** Why the request ended; null while it goes on. */
  get failure(): Failure | null {
    return this.#failure;
  }

  /**
   * Aborted when running calls should be cut. Not so at the deadline: replicas drop late rows themselves, and cutting would
   * cost a new connection for each.
   */
  get unwanted(): AbortSignal {
    return this.#unwanted.signal;
  }

  remainingMs(): number {
    return this.deadlineMs - this.#nowMs();
  }

  /** Milliseconds that are left of the SLO's latency since the request arrived; below 0 when it is late. */
  sloRemainingMs(): number {
    return this.#sloDeadlineMs - this.#nowMs();
  }

  /** Ends the request without a result; only the first call counts. */
  end(failure: Failure): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    clearTimeout(this.#timer);
    if (!(failure.kind === "dropped" && failure.reason === "deadline")) this.#unwanted.abort();
    this.#resolve(failure);
  }

  /** The request has its result: timers go. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #expire(): void {
    const reason = this.waitsFor;
    const message = reason === "deadline" ? "not done by its deadline" : `${WAITED[reason]} until its deadline`;
    this.end({ kind: "dropped", reason, message });
  }
}

const WAITED: Readonly<Record<Exclude<DropReason, "deadline" | "slow_body">, string>> = {
  queue_full: "it was queued in the gateway",
  replicas_full: "the replicas were full",
  no_endpoint: "a stage had no replica",
};
