import type { Logger } from "pino";
import { answerLabelOf } from "../domain/answer-label.ts";
import { VariscaleError } from "../domain/errors.ts";
import { type LoadReport, type ReadLoad, unreadOf } from "../domain/load-report.ts";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";
import type { HttpRequest, HttpRequestHead, HttpResponse } from "../runtime/http-server.ts";
import { readTraceContext, type Tracer, type TraceSpan, UnrecordedSpan } from "../runtime/tracing/tracing.ts";
import type { AccuracyMeter } from "./accuracy-meter.ts";
import type { Admission } from "./admission.ts";
import { answerOf, formatServed, readControls, requestIdOf, timeoutOf } from "./answer.ts";
import type { AnswerWindow } from "./answer-window.ts";
import type { LoadCounter } from "./load-counter.ts";
import type { GatewayMetrics } from "./metrics.ts";
import type { Outcome } from "./outcome.ts";
import { RequestScope } from "./request-scope.ts";
import type { RowsByVariant } from "./rows-by-variant.ts";
import { type PipelineRun, runPipeline } from "./run-pipeline.ts";
import { runStage } from "./run-stage.ts";
import { runVotes, type Voting } from "./run-votes.ts";
import { readSequencePlace, type SequenceMemory } from "./sequence-memory.ts";
import type { PipelineCode } from "./stage.ts";
import type { StagePool } from "./stage-pool.ts";

export interface PipelineServerParts {
  readonly pipeline: Pipeline;
  readonly code: PipelineCode;
  readonly pools: ReadonlyMap<string, StagePool>;
  /** How stages vote, by name; none of those whose code can't. */
  readonly votings: ReadonlyMap<string, Voting>;
  readonly admission: Admission;
  readonly counter: LoadCounter;
  readonly answers: AnswerWindow;
  readonly accuracy: AccuracyMeter;
  readonly sequences: SequenceMemory;
  readonly metrics: GatewayMetrics;
  /** It is null where requests are not traced. */
  readonly tracer: Tracer | null;
  readonly logger: Logger;
  /** Milliseconds that never go back, for durations and deadlines. */
  readonly monotonicMs: () => number;
  /** Milliseconds since 1970, for the seconds of the load. */
  readonly wallMs: () => number;
}

/** Answers the requests of one pipeline and counts each of them exactly once. */
export interface PipelineServer {
  readonly answer: (request: HttpRequest) => Promise<HttpResponse>;
  /** Answers a request whose body was not read: the request counts as offered, and as dropped. */
  readonly refuse: (head: HttpRequestHead, reason: "queue_full" | "slow_body", message: string) => HttpResponse;
  /** @param read null or missing: nothing, and all seconds are wanted. */
  readonly load: (read?: ReadLoad | null) => LoadReport;
  /** Takes whether an answer was right. @throws invalid_argument, or not_found where the answer is not remembered. */
  readonly label: (request: HttpRequest) => HttpResponse;
}

export function createPipelineServer(parts: PipelineServerParts): PipelineServer {
  return {
    answer: async request => {
      const begun = beginRequest(parts, request);
      return endRequest(parts, begun, await outcomeOf(parts, request, begun));
    },
    refuse: (head, reason, message) => {
      const request = beginRequest(parts, head);
      return endRequest(parts, request, { kind: "dropped", reason, message });
    },
    label: request => takeLabel(parts.accuracy, request),
    load: (read = null) => {
      const nowMs = parts.wallMs();
      const report = {
        ...parts.counter.report(nowMs),
        lastMinute: parts.answers.report(nowMs),
        estimates: parts.accuracy.report(),
      };
      return unreadOf(report, read);
    },
  };
}

interface BegunRequest {
  readonly startedMs: number;
  readonly requestId: string;
  /** The rows that variants served, by stage, as far as the request came. */
  readonly served: Record<string, RowsByVariant>;
  readonly span: TraceSpan | null;
}

function beginRequest(parts: PipelineServerParts, head: HttpRequestHead): BegunRequest {
  parts.counter.offer(parts.wallMs());
  const requestId = requestIdOf(head.headers);
  return { startedMs: parts.monotonicMs(), requestId, served: {}, span: startSpan(parts, head, requestId) };
}

function startSpan({ tracer, pipeline }: PipelineServerParts, head: HttpRequestHead, id: string): TraceSpan | null {
  const caller = readTraceContext(key => head.headers[key]);
  if (tracer === null) return UnrecordedSpan.passOn(caller);
  const name = formatKey(pipeline.key);
  const attributes = { "variscale.pipeline": name, "variscale.request_id": id };
  return tracer.startSpan(`infer ${name}`, { kind: "server", attributes }, caller);
}

function endSpan({ span, served }: BegunRequest, outcome: Outcome): void {
  span?.end({
    attributes: { "variscale.outcome": outcome.kind, "variscale.variants": formatServed(served) },
    problem: "message" in outcome ? outcome.message : outcome.kind === "served" ? null : outcome.kind,
  });
}

function endRequest(parts: PipelineServerParts, request: BegunRequest, outcome: Outcome): HttpResponse {
  const { startedMs, requestId, served } = request;
  const latencyMs = parts.monotonicMs() - startedMs;
  endSpan(request, outcome);
  parts.counter.end(outcome);
  parts.answers.end(outcome, latencyMs, parts.wallMs());
  parts.metrics.ended(outcome, latencyMs);
  if (outcome.kind === "failed") parts.logger.error({ err: outcome.cause, requestId }, outcome.message);
  else if (outcome.kind === "lost") parts.logger.warn({ requestId }, outcome.message);
  return answerOf(outcome, { requestId, served, latencyMs });
}

async function outcomeOf(
  parts: PipelineServerParts,
  request: HttpRequest,
  { requestId: id, startedMs, served, span }: BegunRequest,
): Promise<Outcome> {
  const { pipeline, code, pools, votings, metrics, monotonicMs } = parts;
  const timeoutMs = timeoutOf(request.headers, pipeline.slo.latencyMs);
  if (timeoutMs === null)
    return { kind: "invalid", message: "x-request-timeout-ms must be a number of milliseconds above 0" };
  const controls = readControls(request.headers, pipeline);
  if (typeof controls === "string") return { kind: "invalid", message: controls };
  const place = code.sequences ? readSequencePlace(request.headers) : null;
  if (typeof place === "string") return { kind: "invalid", message: place };
  const scope = new RequestScope({
    id,
    deadlineMs: startedMs + timeoutMs,
    sloDeadlineMs: startedMs + pipeline.slo.latencyMs,
    nowMs: monotonicMs,
    clientGone: request.signal,
    span,
    controls,
  });
  const run: PipelineRun = {
    pipeline,
    code,
    nowMs: monotonicMs,
    infer: async (stage, rows) => {
      const pool = pools.get(stage);
      if (!pool) return null;
      const [voters, wanted] = [pool.voters(), controls.variants.get(stage)];
      const voting = voters.length > 0 && wanted === undefined ? votings.get(stage) : undefined;
      if (voting) return runVotes(pool, rows, scope, voting);
      const isVoter = wanted !== undefined && voters.includes(wanted);
      return runStage(isVoter ? pool.ofVoter(wanted) : pool, rows, scope, metrics.retried);
    },
    onStage: trace => {
      metrics.stage(trace);
      if (trace.rowsByVariant.size > 0) served[trace.stage] = trace.rowsByVariant;
    },
    onAsserted: broken => metrics.asserted(broken, served),
    onCollected: context => {
      parts.accuracy.observe(id, served, context);
      const broken = place && parts.sequences.broken(place, context);
      if (broken) metrics.followed(broken, served);
    },
  };
  const body = { body: request.body, contentType: request.headers["content-type"] ?? "" };
  const outcome = await parts.admission.run(scope, () => runPipeline(run, body, scope));
  scope.close();
  return outcome ?? (await scope.ended);
}

function takeLabel(accuracy: AccuracyMeter, request: HttpRequest): HttpResponse {
  const label = answerLabelOf(jsonOf(request.body));
  if (!label)
    throw new VariscaleError(
      "invalid_argument",
      'the body must be JSON as {"requestId": "…", "right": true}, with the `x-request-id` of the answer',
    );
  const { requestId, right } = label;
  if (accuracy.label(requestId, right)) return { status: 204 };
  throw new VariscaleError(
    "not_found",
    `no answer \`${requestId}\` can be labelled: it was labelled before, is too long ago, or its variants have no estimator`,
  );
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    return undefined;
  }
}
