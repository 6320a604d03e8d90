import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import type { Logger } from "pino";
import { createMcpServer } from "./server.ts";
import type { Tool } from "./tool.ts";

/** Bytes of one message; more end the connection. */
const MOST_MESSAGE_BYTES = 1024 * 1024;

/** Serves one client over standard input and output until either ends. */
export async function serveStdio(tools: readonly Tool[], logger: Logger): Promise<void> {
  const { stdin, stdout } = process;
  const gone = new AbortController();
  const server = createMcpServer(tools, logger, gone.signal);
  const transport = new StdioServerTransport(stdin, stdout, { maxBufferSize: MOST_MESSAGE_BYTES });
  const ended = new Promise<void>(resolve => {
    server.server.onclose = resolve;
    stdin.once("end", resolve);
    stdout.once("error", () => resolve());
  });
  server.server.onerror = error => logger.warn({ err: error }, "message can't be used");
  await server.connect(transport);
  await ended;
  gone.abort();
  await server.close();
}
