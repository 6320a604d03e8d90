import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Something that Prometheus scrapes: a counter that grows with time at a rate that can be set. */
export class Target {
  /** Scrapes that it answered. */
  scrapes = 0;
  readonly #series: string;
  #server: Server | null = null;
  #port = 0;
  #rateRps: number;
  #count = 0;
  #countedAtMs = Date.now();

  private constructor(series: string, rateRps: number) {
    this.#series = series;
    this.#rateRps = rateRps;
  }

  /** @param series name and labels, as the text format has them. */
  static async start(series: string, rateRps: number): Promise<Target> {
    const target = new Target(series, rateRps);
    await target.listen();
    return target;
  }

  get port(): number {
    return this.#port;
  }

  set rateRps(rateRps: number) {
    this.#grow();
    this.#rateRps = rateRps;
  }

  /** Counts from 0 again, as after a restart. */
  reset(): void {
    this.#grow();
    this.#count = 0;
  }

  /** On the port that it had before, if it had one. */
  async listen(): Promise<void> {
    const server = createServer((_request, response) => {
      this.#grow();
      response.end(`${this.#series} ${Math.floor(this.#count)}\n`);
      this.scrapes += 1;
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    server?.closeAllConnections();
    if (server) await new Promise(resolve => server.close(resolve));
  }

  #grow(): void {
    const nowMs = Date.now();
    this.#count += (this.#rateRps * (nowMs - this.#countedAtMs)) / 1000;
    this.#countedAtMs = nowMs;
  }
}
