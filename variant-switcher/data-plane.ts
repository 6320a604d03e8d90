import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import type { ChoiceReason } from "../domain/serving/choose-batch.ts";
import { type Budgets, findDeadlines } from "../domain/serving/deadlines.ts";
import { createKeys } from "../domain/serving/kept-rungs.ts";
import type { StageContract } from "../domain/tensor.ts";
import type { ModelStatistics } from "../proto/generated/inference/ModelStatistics.ts";
import { readTraceContext, type TraceContext, type Tracer, type TraceSpan } from "../runtime/tracing/tracing.ts";
import { packageVersion } from "../runtime/version.ts";
import type { AccuracySignals } from "./accuracy-signals.ts";
import type { Batcher } from "./batcher.ts";
import type { SwitcherConfig } from "./config.ts";
import type { Counters, DropReason } from "./counters.ts";
import { type InferRequest, shortest } from "./infer-request.ts";
import type { NamedTensor } from "./raw-tensor.ts";
import type { Repository } from "./repository.ts";
import { RequestTooLarge } from "./request-too-large.ts";
import { createStatistics } from "./statistics.ts";
import type { RungShare, Work, WorkResult } from "./work-queue.ts";

export interface DataPlaneOptions {
  readonly config: Pick<SwitcherConfig, "stage" | "contract" | "variants" | "queue">;
  readonly batcher: Batcher;
  readonly counters: Counters;
  readonly isReady: () => boolean;
  /** Milliseconds of the SLO that are planned for this stage and those after it. */
  readonly budgets: () => Budgets;
  readonly repository: Repository;
  /** Null: answers are not looked at. */
  readonly signals: AccuracySignals | null;
  /** Null: requests are not traced. */
  readonly tracer: Tracer | null;
  readonly logger: Logger;
}

/** Longer headers are cut, as they go to logs and traces. */
const MAX_HEADER_CHARACTERS = 256;

/** What the metadata calls that which runs the models. */
const PLATFORMS = { onnx: "onnxruntime_onnx", remote: "variscale_remote", emulated: "variscale_emulated" } as const;

/** Headers, or gRPC's metadata, say this about a request. */
interface Caller {
  /** What the client calls the request, for logs and traces; null: nothing. */
  readonly requestId: string | null;
  /** The sequence that it belongs to; null: the transport does not say. */
  readonly sequenceId: string | null;
  /** Nothing more accurate than this variant may serve it, as a caller says that remembers itself what its requests keep; null: it does not. */
  readonly atMost: string | null;
  readonly trace: TraceContext;
}

/** How a request came in, beside what it says itself. */
export interface InferContext {
  readonly transport: "rest" | "grpc";
  readonly caller: Caller;
  /** On the clock of performance.now(). */
  readonly arrivedMs: number;
  /** What the transport says; null: nothing. */
  readonly timeoutMs: number | null;
  /** Calls back once if the client goes away before it has an answer. */
  readonly onGone: (callback: () => void) => void;
}

export interface Served {
  /** The variant of most of the rows. */
  readonly variant: string;
  /** Why no heavier one served them. */
  readonly why: ChoiceReason;
  /** How many rows each variant served. */
  readonly shares: readonly RungShare[];
  /** Rows that wait here now. */
  readonly queuedRows: number;
  /** Milliseconds that a row has taken lately. */
  readonly rowMs: number;
  /** Nothing was computed: the outputs mean nothing. */
  readonly isEmulated: boolean;
  readonly outputs: readonly NamedTensor[];
}

/**
 * The Open Inference Protocol V2 as REST and gRPC have it in common. The stage is the model, its variants are the versions: each batch is
 * served by one of them. Throws `not_found` for other names.
 */
export class DataPlane {
  readonly repository: Repository;
  readonly #options: DataPlaneOptions;

  constructor(options: DataPlaneOptions) {
    this.#options = options;
    this.repository = options.repository;
  }

  get stage(): string {
    return this.#options.config.stage;
  }

  get contract(): StageContract {
    return this.#options.config.contract;
  }

  get variants(): readonly string[] {
    return this.#options.config.variants.map(({ name }) => name);
  }

  get isReady(): boolean {
    return this.#options.isReady();
  }

  serverMetadata() {
    return {
      name: "variscale-switcher",
      version: packageVersion,
      extensions: ["binary_tensor_data", "model_repository", "statistics"],
    };
  }

  modelMetadata() {
    const { inputs, outputs } = this.contract;
    const served = this.#options.batcher.serving?.session.variant ?? this.variants[0];
    const driver = this.#options.config.variants.find(({ name }) => name === served)?.driver ?? "onnx";
    return { name: this.stage, versions: this.variants, platform: PLATFORMS[driver], inputs, outputs };
  }

  /** `version` empty: whichever is served. */
  checkModel(model: string, version: string): void {
    if (model !== this.stage) throw new VariscaleError("not_found", `there is no model ${model}, only ${this.stage}`);
    if (version !== "" && !this.variants.includes(version))
      throw new VariscaleError(
        "not_found",
        `${this.stage} has no version ${version}, only ${this.variants.join(", ")}`,
      );
  }

  isModelReady(version: string): boolean {
    return this.isReady && (version === "" || this.#options.batcher.canServe(version));
  }

  /** Of all variants, or of one. */
  statistics(version: string): ModelStatistics[] {
    const variants = version === "" ? this.variants : [version];
    return variants.map(variant => createStatistics(this.stage, variant, this.#options.counters.find(variant)));
  }

  /** Counts a request that there was no memory to read, as of one row: it was not read how many it has. */
  refuseUnread(requestId: unknown, message: string): void {
    const { batcher, counters, logger } = this.#options;
    const dropped = { rows: 1, reason: "no_memory" } as const;
    counters.offered(dropped.rows);
    counters.dropped({ ...dropped, variant: batcher.serving?.session.variant ?? null, totalMs: 0 });
    logger.debug({ requestId: readText(requestId), ...dropped }, message);
  }

  /** Throws what the request has to be refused with. `version` empty: any variant may serve it. */
  async infer(request: InferRequest, version: string, context: InferContext): Promise<Served> {
    const { config, batcher } = this.#options;
    const { rows, inputs, shapeKey } = request;
    if (rows > config.queue.maxRows)
      throw new RequestTooLarge(`${rows} rows in one request, at most ${config.queue.maxRows} can be served`);
    const bytes = inputs.reduce((sum, input) => sum + input.bytes.length, 0);
    if (bytes > config.queue.maxBytes)
      throw new RequestTooLarge(
        `the inputs have ${bytes} bytes, at most ${config.queue.maxBytes} (queue.maxBytes) can be served`,
      );
    const { arrivedMs, caller } = context;
    const leftMs = shortest(request.timeoutMs, context.timeoutMs);
    const deadlines = findDeadlines({ arrivedMs, leftMs, sloLeftMs: request.sloTimeoutMs }, this.#options.budgets());
    const variant = version === "" ? null : version;
    const requestId = caller.requestId ?? request.id;
    const keeps = this.#findKeeps(caller, requestId, caller.sequenceId ?? request.sequence);
    const ticket = batcher.submit({ rows, inputs, shapeKey, variant, keeps, ...deadlines });
    context.onGone(() => ticket.cancel());
    const span = this.#startSpan(requestId, context);
    const result = await ticket.result;
    if (result.kind === "dropped") {
      const { reason, message } = result;
      span?.end({ problem: `${reason}: ${message}` });
      this.#options.logger.debug({ requestId, rows, reason }, message);
      throw new VariscaleError(CODE_OF_DROP[reason], message);
    }
    if (span) endSpan(span, rows, result);
    this.#options.signals?.observe(result.pieces, result.outputs, request.sequence);
    const isEmulated = config.variants.some(({ name, driver }) => name === result.variant && driver === "emulated");
    const { shares, outputs, why } = result;
    return {
      variant: result.variant,
      why,
      shares,
      isEmulated,
      outputs,
      queuedRows: batcher.queuedRows,
      rowMs: batcher.rowMs,
    };
  }

  /** A name that is no variant's, as of a gateway with another pipeline file, says nothing. */
  #findKeeps({ atMost }: Caller, requestId: string | null, sequenceId: string | null): Work["keeps"] {
    const isKnown = atMost !== null && this.variants.includes(atMost);
    return isKnown ? { atMost } : { keys: createKeys(requestId, sequenceId) };
  }

  #startSpan(requestId: string | null, { transport, caller, arrivedMs }: InferContext): TraceSpan | null {
    const { tracer, config } = this.#options;
    if (tracer === null) return null;
    const attributes = {
      "variscale.stage": config.stage,
      "variscale.transport": transport,
      ...(requestId !== null && { "variscale.request_id": requestId }),
    };
    return tracer.startSpan(`infer ${config.stage}`, { kind: "server", attributes, startMs: arrivedMs }, caller.trace);
  }
}

/** The spans of a request that was answered: within it those of its wait and of its batches. */
function endSpan(span: TraceSpan, rows: number, served: Extract<WorkResult, { readonly kind: "served" }>): void {
  const { variant, why, slackMs, shares, queuedAtMs, startedAtMs } = served;
  const endMs = performance.now();
  span.startChild("queue", { kind: "internal", startMs: queuedAtMs }).end({ endMs: startedAtMs });
  span.startChild("run", { kind: "internal", startMs: startedAtMs }).end({ endMs });
  const rungs = formatShares(shares);
  const attributes = {
    "variscale.variant": variant,
    "variscale.why": why,
    "variscale.slack_ms": slackMs,
    "variscale.rows": rows,
    ...(rungs && { "variscale.rungs": rungs }),
  };
  span.end({ attributes, endMs });
}

/** The variants that served a request's rows, as `heavy=6,light=2`; null: one variant served them all. */
export function formatShares(shares: readonly RungShare[]): string | null {
  return shares.length < 2 ? null : shares.map(({ variant, rows }) => `${variant}=${rows}`).join(",");
}

/** `readHeader` gives a header, or an entry of gRPC's metadata, by its name. */
export function readCaller(readHeader: (name: string) => unknown): Caller {
  return {
    requestId: readText(readHeader("x-request-id")),
    sequenceId: readText(readHeader("x-sequence-id")),
    atMost: readText(readHeader("x-variscale-keep")),
    trace: readTraceContext(readHeader),
  };
}

function readText(header: unknown): string | null {
  return typeof header === "string" ? header.slice(0, MAX_HEADER_CHARACTERS) : null;
}

const CODE_OF_DROP = {
  queue_full: "resource_exhausted",
  no_memory: "resource_exhausted",
  would_be_late: "resource_exhausted",
  deadline: "deadline_exceeded",
  late: "deadline_exceeded",
  cancelled: "aborted",
  not_ready: "unavailable",
  wrong_variant: "aborted",
  model_failed: "invalid_argument",
  bad_outputs: "internal",
  remote_failed: "unavailable",
  session_lost: "unavailable",
} as const satisfies Record<DropReason, string>;
