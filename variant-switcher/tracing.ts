/** A request that is traced, from its arrival to its answer. */
export interface RequestTrace {
  /** Its answer: how long it waited and what served it. */
  served(variant: string, rows: number): void;
  /** Why it has none. */
  failed(reason: string): void;
}

export interface Tracing {
  /** `traceparent`: W3C Trace Context of the caller; null: there is none. */
  start(stage: string, transport: "rest" | "grpc", requestId: string | null, traceparent: string | null): RequestTrace;
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
