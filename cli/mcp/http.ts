import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import type { Logger } from "pino";
import { showsToken } from "../../runtime/bearer-token.ts";
import {
  type HttpRequest,
  type HttpRequestHead,
  type HttpResponse,
  type HttpServer,
  startHttpServer,
} from "../../runtime/http-server.ts";
import { namesThisMachine } from "../../runtime/loopback.ts";
import { createMcpServer } from "./server.ts";
import type { Tool } from "./tool.ts";

const MOST_BODY_BYTES = 1024 * 1024;

export interface McpHttpOptions {
  /** 0: one that is free. */
  readonly port: number;
  /** That clients must show. */
  readonly token: string;
  readonly tools: readonly Tool[];
  readonly logger: Logger;
}

/**
 * Streamable HTTP at `/mcp`, on the loopback interface: every request is answered by itself, with JSON, and no session is kept. Web
 * pages are refused, by their Origin and by names that are not this machine's (DNS rebinding).
 */
export function startMcpHttp({ port, token, tools, logger }: McpHttpOptions): Promise<HttpServer> {
  return startHttpServer({
    host: "127.0.0.1",
    port,
    portOption: "--http",
    logger,
    maxBodyBytes: MOST_BODY_BYTES,
    routes: [
      {
        method: "POST",
        path: "/mcp",
        refuse: head => refuseStranger(head, token),
        handle: request => answer(request, tools, logger),
      },
    ],
  });
}

function refuseStranger({ headers }: HttpRequestHead, token: string): HttpResponse | null {
  if (headers.origin !== undefined)
    return { status: 403, body: { error: "web pages may not call this: requests must have no Origin header" } };
  if (!namesThisMachine(headers.host))
    return { status: 403, body: { error: "the Host header must name this machine: localhost or 127.0.0.1" } };
  if (showsToken(headers.authorization, token)) return null;
  return {
    status: 401,
    headers: { "www-authenticate": "Bearer" },
    body: { error: "show this server's token, as `Authorization: Bearer …`" },
  };
}

async function answer(request: HttpRequest, tools: readonly Tool[], logger: Logger): Promise<HttpResponse> {
  const server = createMcpServer(tools, logger, request.signal);
  const transport = new WebStandardStreamableHTTPServerTransport({
    enableJsonResponse: true,
    maxRequestBodySize: MOST_BODY_BYTES,
  });
  try {
    await server.connect(transport);
    const response = await transport.handleRequest(webRequest(request));
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: Buffer.from(await response.arrayBuffer()),
    };
  } finally {
    await server.close();
  }
}

function webRequest({ method, path, headers, body }: HttpRequest): Request {
  const given = Object.entries(headers).flatMap(([name, value]) =>
    typeof value === "string" ? [[name, value] as const] : [],
  );
  return new Request(`http://127.0.0.1${path}`, {
    method,
    headers: Object.fromEntries(given),
    body: new Uint8Array(body),
  });
}
