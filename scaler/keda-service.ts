import { type ServerWritableStream, status } from "@grpc/grpc-js";
import { VariscaleError } from "../domain/errors.ts";
import { DNS_NAME, type PipelineKey } from "../domain/pipeline.ts";
import type { ExternalScalerHandlers } from "../proto/generated/externalscaler/ExternalScaler.ts";
import type { GetMetricSpecResponse } from "../proto/generated/externalscaler/GetMetricSpecResponse.ts";
import type { GetMetricsRequest__Output } from "../proto/generated/externalscaler/GetMetricsRequest.ts";
import type { IsActiveResponse } from "../proto/generated/externalscaler/IsActiveResponse.ts";
import type { ScaledObjectRef__Output } from "../proto/generated/externalscaler/ScaledObjectRef.ts";
import type { Boards } from "./board-store.ts";
import type { Clock } from "./clock.ts";
import { type CallContext, toStatus, unary } from "./grpc-call.ts";
import {
  type AnsweredBoard,
  type AnsweredPipeline,
  type AskedStage,
  isActive,
  isAtZero,
  metricSpecOf,
  metricsOf,
} from "./keda-answer.ts";
import { parseTriggerMetadata } from "./metadata.ts";
import type { PipelineCatalogue } from "./pipeline-catalogue.ts";
import { type OnRefused, type Refusal, Refusals } from "./refusals.ts";

/**
 * While a stage that may go to zero is there, `true` is repeated this often and for this long: KEDA drops one that comes before the
 * ScaledObject's status is written. Then KEDA's own polls do; where nobody tells what is ready, a stage may look to be at zero and not be.
 */
const REPEAT_ACTIVE_MS = 2000;
const REPEAT_WITHIN_MS = 60_000;

export interface KedaServiceOptions extends CallContext {
  readonly catalogue: PipelineCatalogue<AnsweredPipeline>;
  readonly boards: Boards<AnsweredBoard>;
  readonly clock: Clock;
  /** GetMetrics fails when the board is older. */
  readonly staleAfterMs: number;
  readonly onRefused: OnRefused;
}

interface OpenStream {
  /** Of its ScaledObject. */
  readonly namespace: string;
  end(): void;
  recheck(): void;
}

/** KEDA's five calls. Every answer is read from the newest board in memory: nothing is computed and nothing is waited for. */
export class KedaService {
  readonly handlers: ExternalScalerHandlers;
  readonly #options: KedaServiceOptions;
  readonly #streams = new Set<OpenStream>();
  readonly #refusals: Refusals;

  constructor(options: KedaServiceOptions) {
    this.#options = options;
    this.#refusals = new Refusals(options);
    const { boards, clock, staleAfterMs } = options;
    this.handlers = {
      IsActive: unary("IsActive", options, (ref: ScaledObjectRef__Output) => {
        const { pipeline, stage } = this.#targetOf(ref);
        return { result: isActive(stage, boards.latest(pipeline.key)) };
      }),
      GetMetricSpec: unary("GetMetricSpec", options, (ref: ScaledObjectRef__Output) => {
        const { pipeline, stage } = this.#targetOf(ref);
        return metricSpecOf(pipeline, stage);
      }),
      GetMetrics: unary("GetMetrics", options, (request: GetMetricsRequest__Output) => {
        const { pipeline, stage } = this.#targetOf(request.scaledObjectRef);
        return metricsOf(pipeline, stage, boards.latest(pipeline.key), clock.nowMs(), staleAfterMs);
      }),
      StreamIsActive: call =>
        this.#stream("StreamIsActive", call, (pipeline, stage) => this.#streamActivity(call, pipeline, stage)),
      StreamMetricSpec: call =>
        this.#stream("StreamMetricSpec", call, (pipeline, stage) => {
          // The spec never changes while the process lives: it depends on names alone.
          call.write(metricSpecOf(pipeline, stage));
          return () => undefined;
        }),
    };
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** Ends every stream with OK: KEDA then reconnects without its growing back-off. */
  endStreams(): void {
    for (const stream of [...this.#streams]) stream.end();
  }

  /** Fails the streams about a pipeline that went, or about a stage of it: as a new one would fail. */
  recheck(key: PipelineKey): void {
    for (const stream of [...this.#streams]) if (stream.namespace === key.namespace) stream.recheck();
  }

  #streamActivity(
    call: ServerWritableStream<ScaledObjectRef__Output, IsActiveResponse>,
    { key }: AnsweredPipeline,
    { name }: AskedStage,
  ): () => void {
    const { boards, clock, catalogue } = this.#options;
    const find = (): AskedStage => catalogue.stage(key, name, "invalid_argument").stage;
    let stage = find();
    let sent = isActive(stage, boards.latest(key));
    let sentAtMs = clock.nowMs();
    let changedAtMs = sentAtMs;
    call.write({ result: sent });
    return boards.subscribe(key, board => {
      stage = find();
      const active = isActive(stage, board);
      const nowMs = clock.nowMs();
      // Above zero a repeated `true` would only put off KEDA's scale-down to zero.
      const isDue = nowMs - sentAtMs >= REPEAT_ACTIVE_MS && nowMs - changedAtMs <= REPEAT_WITHIN_MS;
      const isRepeat = active && isDue && isAtZero(stage, board);
      if (active === sent && (!isRepeat || call.writableNeedDrain)) return;
      if (active !== sent) changedAtMs = nowMs;
      sent = active;
      sentAtMs = nowMs;
      call.write({ result: active });
    });
  }

  #stream<Response extends IsActiveResponse | GetMetricSpecResponse>(
    method: string,
    call: ServerWritableStream<ScaledObjectRef__Output, Response>,
    open: (pipeline: AnsweredPipeline, stage: AskedStage) => () => void,
  ): void {
    const { observe, logger } = this.#options;
    const startMs = performance.now();
    let stop: () => void = () => undefined;
    const finish = (code: number): void => {
      if (!this.#streams.delete(stream)) return;
      stop();
      observe(method, code, (performance.now() - startMs) / 1000);
    };
    const fail = (thrown: unknown): void => {
      const error = toStatus(thrown, method, logger);
      finish(error.code);
      call.emit("error", error);
    };
    const stream: OpenStream = {
      namespace: call.request.namespace,
      end: () => {
        finish(status.OK);
        call.end();
      },
      recheck: () => {
        try {
          this.#targetOf(call.request);
        } catch (thrown) {
          fail(thrown);
        }
      },
    };
    this.#streams.add(stream);
    call.on("cancelled", () => finish(status.CANCELLED));
    call.on("close", () => finish(status.CANCELLED));
    call.on("error", () => finish(status.INTERNAL));
    try {
      const { pipeline, stage } = this.#targetOf(call.request);
      stop = open(pipeline, stage);
    } catch (thrown) {
      fail(thrown);
    }
  }

  /** Throws invalid_argument where the ScaledObject names no pipeline or stage that is there, and tells it to its owner. */
  #targetOf(ref: ScaledObjectRef__Output | null): { readonly pipeline: AnsweredPipeline; readonly stage: AskedStage } {
    checkScaledObject(ref);
    const { catalogue } = this.#options;
    let reason: Refusal["reason"] = "InvalidTriggerMetadata";
    try {
      const metadata = parseTriggerMetadata(ref.scalerMetadata);
      const key = { namespace: ref.namespace, name: metadata.pipeline };
      reason = "UnknownPipeline";
      catalogue.pipeline(key, "invalid_argument");
      reason = "UnknownStage";
      return catalogue.stage(key, metadata.stage, "invalid_argument");
    } catch (thrown) {
      const { message } = VariscaleError.from(thrown);
      this.#refusals.tell({ namespace: ref.namespace, name: ref.name }, { reason, message });
      throw thrown;
    }
  }
}

/** A call about what can't be a ScaledObject is refused before anything of it is remembered, logged or told to Kubernetes. */
function checkScaledObject(ref: ScaledObjectRef__Output | null): asserts ref is ScaledObjectRef__Output {
  for (const field of ["namespace", "name"] as const) {
    const value = ref?.[field] ?? "";
    if (DNS_NAME.test(value)) continue;
    const problem = value === "" ? "is empty" : "must be a DNS name of 253 characters at most";
    throw new VariscaleError("invalid_argument", `the call names no ScaledObject: \`${field}\` ${problem}`);
  }
}
