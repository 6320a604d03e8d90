import {
  type Context,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { VariscaleError } from "../../domain/errors.ts";
import { packageVersion } from "../version.ts";
import {
  type SpanEnd,
  type SpanStart,
  type TraceContext,
  type TracedProcess,
  type Tracer,
  type TraceSpan,
  UnrecordedSpan,
} from "./tracing.ts";

/** A request of ten thousand rows has hundreds of calls: a trace of all of them is read by nobody. */
const MOST_CHILDREN = 64;
const MOST_ATTRIBUTES = 32;
const MOST_ATTRIBUTE_CHARACTERS = 256;
/** Spans that wait to be sent; further ones are lost while the collector is slow. */
const MOST_WAITING_SPANS = 2048;

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL };
const propagator = new W3CTraceContextPropagator();

/** Spans over OTLP/HTTP. Where to and with which headers is what the variables of OpenTelemetry's exporter say. */
export class OtlpTracer implements Tracer {
  readonly #provider: TracerProvider;
  readonly #tracer: OtelTracer;

  constructor(environment: NodeJS.ProcessEnv, { service, instance, attributes }: TracedProcess) {
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        "service.name": environment["OTEL_SERVICE_NAME"] || service,
        "service.version": packageVersion,
        "service.instance.id": instance,
        ...attributes,
      }),
      sampler: readSampler(environment),
      spanLimits: {
        attributeCountLimit: MOST_ATTRIBUTES,
        attributeValueLengthLimit: MOST_ATTRIBUTE_CHARACTERS,
      },
      spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), maxQueueSize: MOST_WAITING_SPANS })],
    });
    this.#tracer = this.#provider.getTracer(service, packageVersion);
  }

  startSpan(name: string, start: SpanStart, caller: TraceContext | null): TraceSpan {
    // The zero of performance.now() is looked up for each trace, because over days its clock drifts from that of other processes.
    const originMs = Date.now() - performance.now();
    return startOtlpSpan({ tracer: this.#tracer, originMs }, name, start, readCaller(caller));
  }

  close(): Promise<void> {
    return this.#provider.shutdown();
  }
}

interface SpanPlace {
  readonly tracer: OtelTracer;
  /** The zero of performance.now() in milliseconds since 1970. */
  readonly originMs: number;
}

function startOtlpSpan(place: SpanPlace, name: string, start: SpanStart, parent: Context): TraceSpan {
  const { tracer, originMs } = place;
  const { kind, attributes = {}, startMs = performance.now() } = start;
  const span = tracer.startSpan(name, { kind: KINDS[kind], attributes, startTime: originMs + startMs }, parent);
  return new OtlpSpan(place, span);
}

class OtlpSpan implements TraceSpan {
  readonly headers: Readonly<Record<string, string>>;
  readonly #place: SpanPlace;
  readonly #span: Span;
  readonly #context: Context;
  #children = 0;

  constructor(place: SpanPlace, span: Span) {
    this.#place = place;
    this.#span = span;
    this.#context = trace.setSpan(ROOT_CONTEXT, span);
    const headers: Record<string, string> = {};
    propagator.inject(this.#context, headers, { set: (_carrier, key, value) => (headers[key] = value) });
    this.headers = headers;
  }

  startChild(name: string, start: SpanStart): TraceSpan {
    this.#children += 1;
    if (this.#children > MOST_CHILDREN || !this.#span.isRecording()) return new UnrecordedSpan(this.headers);
    return startOtlpSpan(this.#place, name, start, this.#context);
  }

  end({ attributes = {}, problem = null, endMs = performance.now() }: SpanEnd = {}): void {
    this.#span.setAttributes(attributes);
    const leftOut = this.#children - MOST_CHILDREN;
    if (leftOut > 0) this.#span.setAttribute("variscale.children_left_out", leftOut);
    if (problem !== null) {
      const message = problem.slice(0, MOST_ATTRIBUTE_CHARACTERS);
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
    }
    this.#span.end(this.#place.originMs + endMs);
  }
}

/** Headers that are no trace context begin a trace. */
function readCaller(caller: TraceContext | null): Context {
  if (caller === null || caller.traceparent === null) return ROOT_CONTEXT;
  return propagator.extract(ROOT_CONTEXT, caller, {
    get: ({ traceparent, tracestate }: TraceContext, key) =>
      (key === "traceparent" ? traceparent : key === "tracestate" ? tracestate : null) ?? undefined,
    keys: () => ["traceparent", "tracestate"],
  });
}

/** The sampler that OpenTelemetry's variables ask for; without one every trace is recorded that its caller does not leave out. */
function readSampler(environment: NodeJS.ProcessEnv): Sampler {
  const name = environment["OTEL_TRACES_SAMPLER"] || "parentbased_always_on";
  const text = environment["OTEL_TRACES_SAMPLER_ARG"] || "1";
  const ratio = Number(text);
  if (name.endsWith("traceidratio") && !(ratio >= 0 && ratio <= 1))
    throw new VariscaleError("invalid_argument", `OTEL_TRACES_SAMPLER_ARG is \`${text}\`: write a number from 0 to 1`);
  const roots = new Map<string, () => Sampler>([
    ["always_on", () => new AlwaysOnSampler()],
    ["always_off", () => new AlwaysOffSampler()],
    ["traceidratio", () => new TraceIdRatioBasedSampler(ratio)],
  ]);
  const openRoot = roots.get(name.replace(/^parentbased_/, ""));
  if (openRoot === undefined)
    throw new VariscaleError(
      "invalid_argument",
      `OTEL_TRACES_SAMPLER is \`${name}\`: write one of ${[...roots.keys()].join(", ")}, or parentbased_ and one of them`,
    );
  return name.startsWith("parentbased_") ? new ParentBasedSampler({ root: openRoot() }) : openRoot();
}
