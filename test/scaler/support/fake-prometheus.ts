import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../../../scaler/clock.ts";

export interface FakeSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds since 1970 and the value as text. */
  readonly points: [seconds: number, value: string][];
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly form: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

/** Answers as Prometheus's HTTP API does: `time()`, one range selector over its series, and one expression as a function of time. */
export class FakePrometheus {
  readonly asked: Asked[] = [];
  readonly series: FakeSeries[] = [];
  /** Value of every expression at a time in seconds; null: none. */
  expression: (seconds: number) => string | null = () => null;
  warnings: readonly string[] = [];
  /** Added to its own clock. */
  aheadMs = 0;
  /** Null: answers as it should be. */
  answer: ((response: ServerResponse, asked: Asked) => void) | null = null;
  readonly #server: Server;
  readonly #clock: Clock;

  private constructor(server: Server, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
  }

  static async start(clock: Clock, server: Server = createServer()): Promise<FakePrometheus> {
    const prometheus = new FakePrometheus(server, clock);
    server.on("request", (request, response) => void prometheus.#serve(request, response));
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    return prometheus;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A series that is scraped at `fromMs`, `fromMs + intervalMs`, … until `toMs`, with the values of `count`. */
  scrape(labels: FakeSeries["labels"], span: Span, count: (atMs: number) => number | string): FakeSeries {
    const series: FakeSeries = { labels, points: [] };
    this.series.push(series);
    for (let atMs = span.fromMs; atMs <= span.toMs; atMs += span.intervalMs)
      series.points.push([atMs / 1000, String(count(atMs))]);
    return series;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    let body = "";
    for await (const chunk of request) body += chunk;
    const form = request.method === "POST" ? new URLSearchParams(body) : url.searchParams;
    const asked = { method: request.method ?? "", path: url.pathname, form, headers: request.headers };
    this.asked.push(asked);
    if (this.answer) return this.answer(response, asked);
    response.end(this.answerTo(asked));
  }

  answerTo({ path, form }: Asked): string {
    const query = form.get("query") ?? "";
    const nowSeconds = (this.#clock.nowMs() + this.aheadMs) / 1000;
    if (query === "time()") return success("scalar", [nowSeconds, String(nowSeconds)]);
    if (path.endsWith("/query_range")) return success("matrix", this.#steps(form), this.warnings);
    const windowSeconds = Number(/\[(\d+)s\]$/.exec(query)?.[1]);
    const toSeconds = Number(form.get("time"));
    const result = this.series.flatMap(({ labels, points }) => {
      const values = points.filter(([at]) => at > toSeconds - windowSeconds && at <= Math.min(toSeconds, nowSeconds));
      return values.length > 0 ? [{ metric: labels, values }] : [];
    });
    return success("matrix", result, this.warnings);
  }

  #steps(form: URLSearchParams): unknown {
    const [start, end, step] = ["start", "end", "step"].map(name => Number(form.get(name))) as [number, number, number];
    const values: [number, string][] = [];
    for (let at = start; at <= end; at += step) {
      const value = this.expression(at);
      if (value !== null) values.push([at, value]);
    }
    return values.length > 0 ? [{ metric: {}, values }] : [];
  }
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
}

export function success(resultType: string, result: unknown, warnings: readonly string[] = []): string {
  return JSON.stringify({ status: "success", data: { resultType, result }, ...(warnings.length ? { warnings } : {}) });
}
