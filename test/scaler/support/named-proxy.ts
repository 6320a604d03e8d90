import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";
import type { RunningScaler } from "./running-scaler.ts";

/** Passes requests on to a scaler of this machine as for `http://devbox:8080`, which is a loopback address on many Debian machines. */
export class NamedProxy {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(running: RunningScaler, host = "devbox:8080"): Promise<NamedProxy> {
    const server = createServer((incoming, answer) => {
      const { method, headers, url = "/" } = incoming;
      const passed = request(running.url(url), { method, headers: { ...headers, host } }, response => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        pipeline(response, answer, () => undefined);
      });
      pipeline(incoming, passed, () => undefined);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new NamedProxy(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}
