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
import type { RequestTrace, Tracing } from "./tracing.ts";

const NAME = "variscale-switcher";
/** W3C Trace Context, version 00. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Spans of requests over OTLP/HTTP. Where to, how many and with which headers is what OpenTelemetry's own variables say. */
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

  start(stage: string, transport: "rest" | "grpc", requestId: string | null, traceparent: string | null): RequestTrace {
    const attributes = {
      "variscale.stage": stage,
      "variscale.transport": transport,
      ...(requestId && { "variscale.request_id": requestId }),
    };
    const span = this.#tracer.startSpan(`infer ${stage}`, { kind: SpanKind.SERVER, attributes }, parentOf(traceparent));
    return new SpanTrace(span);
  }

  close(): Promise<void> {
    return this.#provider.shutdown();
  }
}

class SpanTrace implements RequestTrace {
  readonly #span: Span;

  constructor(span: Span) {
    this.#span = span;
  }

  served(variant: string, rows: number): void {
    this.#span.setAttributes({ "variscale.variant": variant, "variscale.rows": rows });
    this.#span.end();
  }

  failed(reason: string): void {
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: reason });
    this.#span.end();
  }
}

/** What is no trace context is left out. */
function parentOf(traceparent: string | null): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags ?? "0", 16);
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}
