/** The trace that a caller belongs to, as the headers of W3C Trace Context say it; null: there is no such header. */
export interface TraceContext {
  readonly traceparent: string | null;
  readonly tracestate: string | null;
}

/** The trace context of a request. Headers that are there more than once are joined, as Node does it. */
export function readTraceContext(readHeader: (name: string) => unknown): TraceContext {
  const [traceparent, tracestate] = [readHeader("traceparent"), readHeader("tracestate")];
  return {
    traceparent: typeof traceparent === "string" ? traceparent : null,
    tracestate: typeof tracestate === "string" ? tracestate : null,
  };
}

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanStart {
  readonly kind: "server" | "client" | "internal";
  readonly attributes?: SpanAttributes;
  /** The time by the clock of performance.now(); missing: now. */
  readonly startMs?: number;
}

export interface SpanEnd {
  readonly attributes?: SpanAttributes;
  /** It says why the work failed; null or missing: it did not. */
  readonly problem?: string | null;
  /** The time by the clock of performance.now(); missing: now. */
  readonly endMs?: number;
}

/** A stretch of work in a trace. */
export interface TraceSpan {
  /** A service that is called with these headers goes on in the same trace, below this span. */
  readonly headers: Readonly<Record<string, string>>;
  /** One span has a bounded number of children; further ones are counted in it alone. */
  startChild(name: string, start: SpanStart): TraceSpan;
  end(end?: SpanEnd): void;
}

/** A span that is not recorded: what is called within it goes on in the caller's trace. */
export class UnrecordedSpan implements TraceSpan {
  readonly headers: Readonly<Record<string, string>>;

  constructor(headers: Readonly<Record<string, string>>) {
    this.headers = headers;
  }

  /** A process that traces nothing passes its caller's trace on; null where there is none that can be passed on. */
  static passOn({ traceparent, tracestate }: TraceContext): UnrecordedSpan | null {
    if (traceparent === null || !/^[\x21-\x7e]{1,256}$/.test(traceparent)) return null;
    const isState = tracestate !== null && /^[\x20-\x7e]{1,512}$/.test(tracestate);
    return new UnrecordedSpan({ traceparent, ...(isState && { tracestate }) });
  }

  startChild(): TraceSpan {
    return this;
  }

  end(): void {}
}

export interface Tracer {
  /** @param caller null: it begins a trace. */
  startSpan(name: string, start: SpanStart, caller: TraceContext | null): TraceSpan;
  /** Sends what is left. */
  close(): Promise<void>;
}

/** The process that spans come from. */
export interface TracedProcess {
  /** `variscale-gateway`; OTEL_SERVICE_NAME takes its place. */
  readonly service: string;
  readonly instance: string;
  readonly attributes: SpanAttributes;
}
