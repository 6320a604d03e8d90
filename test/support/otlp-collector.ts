import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { openTracer } from "../../runtime/tracing/open-tracer.ts";
import type { TracedProcess, Tracer } from "../../runtime/tracing/tracing.ts";

export interface OtlpSpan {
  /** The process that sent it. */
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly traceState?: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: Readonly<Record<string, unknown>>;
}

type Attributes = readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
type SentSpan = Omit<OtlpSpan, "attributes" | "service"> & { readonly attributes: Attributes };

interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes };
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

/** A collector of OpenTelemetry on the loopback interface, that keeps what it is sent over OTLP/HTTP. */
export class OtlpCollector {
  readonly spans: OtlpSpan[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        this.#take(JSON.parse(Buffer.concat(chunks).toString()) as Sent);
        response.end("{}");
      });
    });
  }

  static async start(): Promise<OtlpCollector> {
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    return new OtlpCollector(server);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A tracer that sends here, as a process opens it whose environment says so. The exporter reads the variables of the process itself. */
  async openTracer(traced: TracedProcess, more: NodeJS.ProcessEnv = {}): Promise<Tracer> {
    process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = this.endpoint;
    try {
      const tracer = await openTracer({ ...process.env, ...more }, traced);
      if (tracer === null) throw new Error("it is not traced");
      return tracer;
    } finally {
      delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
    }
  }

  /** The only span of a name, in a trace if one is given. */
  find(name: string, traceId: string | null = null): OtlpSpan {
    const found = this.spans.filter(span => span.name === name && (traceId === null || span.traceId === traceId));
    const [span] = found;
    if (span === undefined || found.length > 1)
      throw new Error(`${found.length} spans \`${name}\` of: ${this.spans.map(one => one.name).join(", ")}`);
    return span;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  #take({ resourceSpans }: Sent): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = String(readAttributes(resource.attributes)["service.name"]);
      for (const { spans } of scopeSpans)
        for (const span of spans) this.spans.push({ ...span, service, attributes: readAttributes(span.attributes) });
    }
  }
}

function readAttributes(attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
