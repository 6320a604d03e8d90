import type { TracedProcess, Tracer } from "./tracing.ts";

const OTLP_VARIABLES = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] as const;

/**
 * Traces by OpenTelemetry where its variables name a collector; null otherwise, and then none of its code is loaded.
 *
 * Throws invalid_argument for a sampler that is not known.
 */
export async function openTracer(environment: NodeJS.ProcessEnv, traced: TracedProcess): Promise<Tracer | null> {
  const isWanted = OTLP_VARIABLES.some(name => (environment[name] ?? "") !== "");
  if (!isWanted || environment["OTEL_SDK_DISABLED"] === "true") return null;
  const { OtlpTracer } = await import("./otlp-tracer.ts");
  return new OtlpTracer(environment, traced);
}
