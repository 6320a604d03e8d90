import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { packageVersion } from "../runtime/version.ts";
import type { RequestTrace, TracedContext, Tracing } from "./tracing.ts";

const NAME = "variscale-switcher";
/** W3C Trace Context, version 00. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Spans of requests over OTLP/HTTP. Where to and with which headers is what the variables of OpenTelemetry's exporter say. */
export class OtlpTracing implements Tracing {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;

  constructor(service: string | null, stage: string, pod: string) {
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        "service.name": service ?? NAME,
        "service.version": packageVersion,
        "service.instance.id": pod,
        "variscale.stage": stage,
      }),
      spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
    });
    this.#tracer = this.#provider.getTracer(NAME, packageVersion);
  }

  start(stage: string, requestId: string | null, { transport, traceparent, arrivedMs }: TracedContext): RequestTrace {
    const attributes = {
      "variscale.stage": stage,
      "variscale.transport": transport,
      ...(requestId && { "variscale.request_id": requestId }),
    };
    // Of the clock of performance.now(), as of now: over days it drifts from the one that other processes go by.
    const originMs = Date.now() - performance.now();
    const options = { kind: SpanKind.SERVER, attributes, startTime: originMs + arrivedMs };
    const span = this.#tracer.startSpan(`infer ${stage}`, options, parentOf(traceparent));
    return new SpanTrace(this.#tracer, span, originMs);
  }

  close(): Promise<void> {
    return this.#provider.shutdown();
  }
}

class SpanTrace implements RequestTrace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #originMs: number;

  constructor(tracer: Tracer, span: Span, originMs: number) {
    this.#tracer = tracer;
    this.#span = span;
    this.#originMs = originMs;
  }

  served(variant: string, rows: number, queuedAtMs: number, startedAtMs: number): void {
    const nowMs = performance.now();
    this.#span.setAttributes({ "variscale.variant": variant, "variscale.rows": rows });
    // What is not sampled has no parts either.
    if (this.#span.isRecording()) {
      this.#part("queue", queuedAtMs, startedAtMs);
      this.#part("run", startedAtMs, nowMs);
    }
    this.#span.end(this.#originMs + nowMs);
  }

  failed(reason: string): void {
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: reason });
    this.#span.end(this.#originMs + performance.now());
  }

  #part(name: string, startMs: number, endMs: number): void {
    const within = trace.setSpan(ROOT_CONTEXT, this.#span);
    this.#tracer.startSpan(name, { startTime: this.#originMs + startMs }, within).end(this.#originMs + endMs);
  }
}

/** What is no trace context is left out. */
function parentOf(traceparent: string | null): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags ?? "0", 16);
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}
