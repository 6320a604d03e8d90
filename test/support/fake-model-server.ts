import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** The answer to a request; null sends none. */
export type FakeAnswer = { readonly status: number; readonly json: unknown } | null;

/** A server of the Open Inference Protocol V2 with one model `x`, whose answers the test decides on. */
export class FakeModelServer {
  /** Loads, unloads, and what was inferred, in the order in which the server was done with them. */
  readonly done: string[] = [];
  /** As after a restart, while it is false. */
  isLoaded = false;
  /** The answer to inference while the model is there. */
  answer: FakeAnswer = {
    status: 200,
    json: { outputs: [{ name: "y", datatype: "FP32", shape: [1, 2], data: [1, 2] }] },
  };
  /** The answer to so many rows; null: each is answered as one is. */
  answerRows: ((rows: number) => FakeAnswer) | null = null;
  /** The answer to inference while the model is not there. */
  missing: FakeAnswer = { status: 404, json: { error: "Model x not found" } };
  /** The answer to a load; null loads the model. */
  refusal: FakeAnswer = null;
  /** The description of its model. */
  metadata: object = {};
  /** A load takes until this is resolved. */
  loading: Promise<void> = Promise.resolve();
  /** How long it takes for an answer to inference. */
  inferMs: () => number = () => 0;
  /** The length that answers to inference announce without having it; null: none is announced. */
  announcedBytes: number | null = null;
  /** The end of the path whose answers have no end; null: there is none. */
  endless: string | null = null;
  /** Bytes of answers without end that were written. */
  endlessBytes = 0;
  /** Loads that were begun. */
  loads = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  static async start(): Promise<FakeModelServer> {
    const fake = new FakeModelServer();
    await new Promise<void>(resolve => fake.#server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  #writeForever(response: ServerResponse): void {
    const chunk = Buffer.alloc(256 * 1024, " ");
    const more = (): void => {
      while (!response.destroyed && response.write(chunk)) this.endlessBytes += chunk.length;
    };
    response.on("drain", more);
    more();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    const send = (answer: FakeAnswer): void => {
      if (answer) response.writeHead(answer.status).end(JSON.stringify(answer.json));
    };
    const path = request.url ?? "";
    if (this.endless !== null && path.endsWith(this.endless)) return this.#writeForever(response);
    if (path.endsWith("/load")) {
      this.loads++;
      await this.loading;
      if (this.refusal) return send(this.refusal);
      this.isLoaded = true;
      this.done.push("load");
      send({ status: 200, json: {} });
    } else if (path.endsWith("/unload")) {
      this.isLoaded = false;
      this.done.push("unload");
      send({ status: 200, json: {} });
    } else if (path.endsWith("/ready")) send({ status: this.isLoaded ? 200 : 400, json: {} });
    else if (path.endsWith("/infer")) {
      const ms = this.inferMs();
      if (ms > 0) await sleep(ms);
      this.done.push("infer");
      if (this.announcedBytes !== null) {
        response.writeHead(200, { "content-length": this.announcedBytes }).flushHeaders();
        return;
      }
      const [, rows = "1"] = /"shape":\[(\d+)/.exec(Buffer.concat(chunks).toString("latin1")) ?? [];
      send(this.isLoaded ? (this.answerRows?.(Number(rows)) ?? this.answer) : this.missing);
    } else if (path.endsWith("/")) {
      // As MLServer has it.
      response.writeHead(307, { location: path.slice(0, -1) }).end();
    } else send({ status: 200, json: path === "/v2/models/x" ? this.metadata : {} });
  }
}
