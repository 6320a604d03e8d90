/** A request that is traced, from its arrival to its answer. */
export interface RequestTrace {
  /** Its answer: what served it, and, on the clock of performance.now(), when it was taken in and when it began to run. */
  served(variant: string, rows: number, queuedAtMs: number, startedAtMs: number): void;
  /** Why it has none. */
  failed(reason: string): void;
}

/** How the request came in. */
export interface TracedContext {
  readonly transport: "rest" | "grpc";
  /** W3C Trace Context of the caller; null: there is none. */
  readonly traceparent: string | null;
  /** On the clock of performance.now(). */
  readonly arrivedMs: number;
}

export interface Tracing {
  start(stage: string, requestId: string | null, context: TracedContext): RequestTrace;
  /** Sends what is left. */
  close(): Promise<void>;
}

const OTLP_VARIABLES = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] as const;

/** Traces by OpenTelemetry where its variables name a collector; null otherwise, and then none of its code is loaded. */
export async function openTracing(environment: NodeJS.ProcessEnv, stage: string, pod: string): Promise<Tracing | null> {
  const isWanted = OTLP_VARIABLES.some(name => (environment[name] ?? "") !== "");
  if (!isWanted || environment["OTEL_SDK_DISABLED"] === "true") return null;
  const { OtlpTracing } = await import("./otlp-tracing.ts");
  return new OtlpTracing(environment["OTEL_SERVICE_NAME"] ?? null, stage, pod);
}
