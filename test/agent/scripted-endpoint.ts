import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a scripted model does when it is asked: calls tools, says something, or anything that a broken endpoint can do. */
export type Scripted =
  | { readonly calls: readonly (readonly [tool: string, input: unknown])[]; readonly tokens?: number }
  | { readonly text: string }
  | { readonly status: number; readonly body?: string }
  | { readonly raw: string | ((response: ServerResponse) => void) };

export interface Asked {
  readonly authorization: string | undefined;
  readonly body: {
    readonly messages: readonly { readonly role: string; readonly content?: unknown }[];
    readonly tools?: readonly { readonly function: { readonly name: string } }[];
  };
}

/** An OpenAI-compatible endpoint on loopback that follows a script; the last entry is repeated. */
export class ScriptedEndpoint {
  readonly asked: Asked[] = [];
  script: (asked: Asked, n: number) => Scripted;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.script = () => ({ text: "done" });
  }

  static async start(): Promise<ScriptedEndpoint> {
    const server = createServer();
    const endpoint = new ScriptedEndpoint(server);
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", chunk => chunks.push(chunk));
      request.on("end", () => {
        const { authorization } = request.headers;
        const asked: Asked = { authorization, body: JSON.parse(Buffer.concat(chunks).toString("utf8")) };
        endpoint.asked.push(asked);
        answer(response, endpoint.script(asked, endpoint.asked.length - 1));
      });
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** Entry by entry; the last one for ever. */
  follow(...script: readonly Scripted[]): this {
    this.script = (_asked, n) => script[Math.min(n, script.length - 1)] ?? { text: "done" };
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

function answer(response: ServerResponse, scripted: Scripted): void {
  if ("raw" in scripted) {
    if (typeof scripted.raw === "string") response.setHeader("content-type", "application/json").end(scripted.raw);
    else scripted.raw(response);
    return;
  }
  if ("status" in scripted) {
    response.writeHead(scripted.status, { "content-type": "application/json", "retry-after-ms": "5" });
    response.end(scripted.body ?? JSON.stringify({ error: { message: `status ${scripted.status}` } }));
    return;
  }
  const calls = "calls" in scripted ? scripted.calls : [];
  const message = {
    role: "assistant",
    content: "text" in scripted ? scripted.text : null,
    ...(calls.length > 0 && {
      tool_calls: calls.map(([name, input], i) => ({
        id: `call-${i}`,
        type: "function",
        function: { name, arguments: typeof input === "string" ? input : JSON.stringify(input) },
      })),
    }),
  };
  const tokens = "tokens" in scripted ? (scripted.tokens ?? 50) : 50;
  response.setHeader("content-type", "application/json");
  response.end(
    JSON.stringify({
      id: "1",
      object: "chat.completion",
      created: 0,
      model: "scripted",
      choices: [{ index: 0, message, finish_reason: calls.length > 0 ? "tool_calls" : "stop" }],
      usage: { prompt_tokens: tokens - 10, completion_tokens: 10, total_tokens: tokens },
    }),
  );
}
