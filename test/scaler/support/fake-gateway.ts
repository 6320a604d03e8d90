import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AccuracyEstimate } from "../../../domain/accuracy-estimate.ts";
import { type LastMinute, type LoadReport, readOf, unreadOf } from "../../../domain/load-report.ts";
import type { Clock } from "../../../scaler/clock.ts";

/** Answers load reports: a constant rate since it started, or whatever a test tells it to. */
export class FakeGateway {
  rateRps = 0;
  epoch = "run-1";
  startedAtMs: number;
  /** Null: load reports as they should be. */
  answer: ((response: ServerResponse) => void) | null = null;
  /** Added to its own clock. */
  aheadMs = 0;
  answered = 0;
  lastMinute: LastMinute = { ended: 0, inTime: 0, latencyMs: null };
  estimates: readonly AccuracyEstimate[] = [];
  readonly paths: string[] = [];
  /** Of each request; empty: without. */
  readonly queries: string[] = [];
  readonly #server: Server;
  readonly #clock: Clock;

  private constructor(server: Server, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
    this.startedAtMs = clock.nowMs() - 60_000;
  }

  static async start(clock: Clock): Promise<FakeGateway> {
    const server = createServer();
    const gateway = new FakeGateway(server, clock);
    server.on("request", (request, response) => {
      const [path = "", query = ""] = request.url?.split("?") ?? [];
      gateway.paths.push(path);
      gateway.queries.push(query);
      response.on("finish", () => {
        gateway.answered += 1;
      });
      if (gateway.answer) gateway.answer(response);
      else response.end(JSON.stringify(unreadOf(gateway.report(), readOf(new URLSearchParams(query)))));
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    return gateway;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  report(): LoadReport {
    const atMs = this.#clock.nowMs() + this.aheadMs;
    const now = Math.floor(atMs / 1000);
    const first = Math.max(Math.ceil((this.startedAtMs + this.aheadMs) / 1000), now - 60);
    const seconds = [];
    for (let second = first; second < now; second++) seconds.push({ atMs: (second + 1) * 1000, rateRps: this.rateRps });
    const none = { offered: 0, served: 0, dropped: {}, lost: 0, failed: 0, invalid: 0, cancelled: 0, inFlight: 0 };
    const { epoch, lastMinute, estimates } = this;
    return { epoch, startedAtMs: this.startedAtMs + this.aheadMs, atMs, ...none, lastMinute, estimates, seconds };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}
